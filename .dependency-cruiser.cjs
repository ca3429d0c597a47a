/** The arrows of docs: what may import what. Everything else may not. */
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^(functions|drizzle|database|local|ops|test)/', pathNot: allowed },
})

module.exports = {
  forbidden: [
    layer('core-imports-nothing', '^functions/core/', '^functions/core/'),
    {
      name: 'core-is-pure',
      comment: 'No I/O, no clock, no zod: no packages at all.',
      severity: 'error',
      from: { path: '^functions/core/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'core'] },
    },
    layer('http-to-core', '^functions/http/', '^functions/(http|core)/'),
    layer('store-to-core-and-schema', '^functions/store/', '^functions/(store|core)/|^drizzle/schema/'),
    layer('decisions-to-store', '^functions/decisions/', '^functions/(decisions|core|store)/'),
    layer('maintenance-to-store', '^functions/maintenance/', '^functions/(maintenance|core|store|decisions)/'),
    layer('api-to-what-it-serves', '^functions/api/', '^functions/(api|core|http|store|decisions)/'),
    layer('ops-to-http-and-core', '^ops/', '^ops/|^functions/(http|core)/'),
    layer('functions-ship-alone', '^functions/', '^functions/|^drizzle/schema/'),
    {
      name: 'neon-only-in-store',
      severity: 'error',
      from: { path: '^functions/', pathNot: '^functions/store/' },
      to: { path: 'node_modules/@neondatabase/' },
    },
    {
      name: 'no-tests-in-what-ships',
      severity: 'error',
      from: { path: '^(functions|drizzle|database|local|ops)/' },
      to: { path: '^test/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^cloudflare:' } },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^(functions|drizzle|database|local|ops|test)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'ship-no-dev-packages',
      severity: 'error',
      from: { path: '^functions/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'functions/tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
