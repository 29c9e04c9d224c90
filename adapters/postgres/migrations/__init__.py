"""The database's schema, step by step; a step's name says whether it runs before (pre) or after (post) a deploy."""
