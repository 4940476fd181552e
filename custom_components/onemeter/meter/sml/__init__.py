"""SML, the Smart Message Language (SML 1.04, BSI TR-03109-1)."""
