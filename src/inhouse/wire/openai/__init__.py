"""OpenAI's dialect: what callers send us (`inbound`), what we send upstreams (`outbound`)."""
