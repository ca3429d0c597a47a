/** Stands in for Zod's translations (wrangler.toml, `[alias]`): we speak English only, which Zod has by itself. */
export {}
