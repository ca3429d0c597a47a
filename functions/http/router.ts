import type { Result, Router } from 'hono/router'

/**
 * Finds the handler of a request. A path without parameters is found at once, and no parameter takes it; those with
 * some are tried in their order. Parameters are not read here: input.ts reads them from the raw path.
 */
export function createRouter<Handler>(): Router<Handler> {
  const fixed = new Map<string, Result<Handler>>()
  const patterns: { readonly method: string; readonly pattern: string; readonly found: Result<Handler> }[] = []
  const nothing: Result<Handler> = [[]]
  return {
    name: 'mec',
    add(method, path, handler) {
      const found: Result<Handler> = [[[handler, {}]]]
      if (path.includes('/:')) patterns.push({ method, pattern: path, found })
      else fixed.set(`${method} ${path}`, found)
    },
    match(method, path) {
      const found = fixed.get(`${method} ${path}`)
      if (found) return found
      const matching = patterns.find((candidate) => candidate.method === method && isOfPattern(path, candidate.pattern))
      return matching?.found ?? nothing
    },
  }
}

/** True if a path is the pattern's, segment by segment; `:name` stands for one that is not empty. */
export function isOfPattern(path: string, pattern: string): boolean {
  const segments = path.split('/')
  const expected = pattern.split('/')
  return (
    segments.length === expected.length &&
    expected.every((segment, index) => (segment.startsWith(':') ? segments[index] !== '' : segment === segments[index]))
  )
}
