"""Amazon Bedrock's runtime: what it is asked, what it answers, how it refuses."""
