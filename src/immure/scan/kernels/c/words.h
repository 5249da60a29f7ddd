uint64_t words_version(void);
