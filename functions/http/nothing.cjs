/** Stands in for parts of Zod that nothing here calls (wrangler.toml, `[alias]`). Whatever is imported from it is undefined. */
module.exports = {}
