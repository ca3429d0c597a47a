/** Stands in for parts of Zod that nothing here calls (wrangler.toml, `[alias]`). Whatever else is imported from it is undefined. */

/** The OpenAPI document asks which numbers are integers: those of the format `safeint`. Bounds it finds elsewhere. */
exports.aggregateChecks = ({ _zod: { def } }) => ({ format: def.format })
