"""Reports of a watch: for people, for programs, for code hosts."""
