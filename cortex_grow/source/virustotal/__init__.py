"""What VirusTotal's objects say, shared by every definition that reads them (API v3, docs.virustotal.com/reference)."""
