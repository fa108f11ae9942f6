"use strict";
// Filters and sorts the table. Reads text, sets the attribute "hidden" and the order of rows; makes no markup.
(() => {
  const table = document.getElementById("indicators");
  window.addEventListener("beforeprint", () => {
    for (const tree of document.querySelectorAll("details")) tree.open = true;
  });
  if (!table) return;
  // Defanged or not, it is the same indicator.
  const plain = (text) => text.toLowerCase().replaceAll(/\[([.:@])\]/g, "$1").replaceAll("hxxp", "http");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, text: plain(row.textContent) }));
  const text = document.getElementById("filter");
  const type = document.getElementById("by-type");
  const level = document.getElementById("by-level");
  const shown = document.getElementById("shown");

  function apply() {
    const words = plain(text.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { row, text: content } of rows) {
      const fits =
        words.every((word) => content.includes(word)) &&
        (!type.value || row.dataset.type === type.value) &&
        (!level.value || row.dataset.level === level.value);
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count.toLocaleString("en") + " shown";
  }
  for (const input of [text, type, level]) input.addEventListener("input", apply);

  let sortedBy = -1;
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    head.addEventListener("click", () => {
      const down = sortedBy === column;
      sortedBy = down ? -1 : column;
      const order = rows.map(({ row }) => [row.cells[column].textContent, row]);
      order.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
      if (down) order.reverse();
      body.append(...order.map(([, row]) => row));
    });
  });
  apply();
})();
