"""The dialect of Tabby's clients; its shapes follow the OpenAPI description of Tabby 0.31."""
