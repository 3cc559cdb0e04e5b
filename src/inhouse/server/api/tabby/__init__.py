"""The Tabby dialect: what Tabby's clients ask of a server; `endpoints` lists its doors."""
