uint64_t ec_version(void);
