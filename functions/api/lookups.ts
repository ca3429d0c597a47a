import { z } from '@hono/zod-openapi'
import { type Api, forward } from '../http/api.ts'
import { contract, pageOf } from '../http/contract.ts'
import { code, page, positiveQuantity, printable } from '../http/fields.ts'
import type { Gateway } from '../store/gateway.ts'
import { amount } from './shapes.ts'

/** The rows that everything else refers to. A row belongs to a namespace, or to all. */

const Resource = z.object({ resource: z.string(), unit: z.string(), name: z.string() }).openapi('Resource')
const RESOURCE_EXAMPLE = { resource: 'benchmark_runs', unit: 'count', name: 'Benchmark runs' }
const ResourceList = pageOf(Resource).openapi('ResourceList')
const ResourceRequest = z
  .strictObject({
    resource: code(),
    unit: code(),
    name: printable().optional().openapi({ description: 'Its code when left out.' }),
  })
  .openapi('ResourceRequest')

const Unit = z
  .object({
    unit: z.string(),
    dimension: z.string(),
    factor: amount().openapi({ description: "In the dimension's base unit." }),
  })
  .openapi('Unit')
const UNIT_EXAMPLE = { unit: 'minutes', dimension: 'time', factor: 60 }
const UnitList = pageOf(Unit).openapi('UnitList')
const UnitRequest = z
  .strictObject({ unit: code(), dimension: code(), factor: positiveQuantity() })
  .openapi('UnitRequest')

const ListInput = z.strictObject(page())
type Page = z.output<typeof ListInput>

const listResources = contract({
  method: 'get',
  path: '/v1/resources',
  operationId: 'listResources',
  tag: 'Resources and units',
  summary: 'The known resources',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of resources.' },
  answer: ResourceList,
  example: { answer: { data: [RESOURCE_EXAMPLE], has_more: false, next_cursor: null } },
})

const createResource = contract({
  method: 'post',
  path: '/v1/resources',
  operationId: 'createResource',
  tag: 'Resources and units',
  summary: 'Make a resource known',
  scopes: ['admin'],
  input: ResourceRequest,
  statuses: { 201: 'The resource. Again: the same.' },
  answer: Resource,
  errors: { 409: '`already_exists`: with another unit or name.' },
  example: { request: RESOURCE_EXAMPLE, answer: RESOURCE_EXAMPLE },
})

const listUnits = contract({
  method: 'get',
  path: '/v1/units',
  operationId: 'listUnits',
  tag: 'Resources and units',
  summary: 'The known units',
  scopes: ['read'],
  input: ListInput,
  statuses: { 200: 'A page of units.' },
  answer: UnitList,
  example: { answer: { data: [UNIT_EXAMPLE], has_more: false, next_cursor: null } },
})

const createUnit = contract({
  method: 'post',
  path: '/v1/units',
  operationId: 'createUnit',
  tag: 'Resources and units',
  summary: 'Make a unit known',
  description: 'Units of one dimension convert into each other by their factors.',
  scopes: ['admin'],
  input: UnitRequest,
  statuses: { 201: 'The unit. Again: the same.' },
  answer: Unit,
  errors: { 409: '`already_exists`: with another dimension or factor.' },
  example: { request: UNIT_EXAMPLE, answer: UNIT_EXAMPLE },
})

export function serveLookups(api: Api, gateway: Gateway): void {
  api.serve(listResources, forward(gateway.bind<Page, z.input<typeof ResourceList>>('api_resource_list')))
  const createResourceInSql = gateway.bind<z.output<typeof ResourceRequest>, z.input<typeof Resource>>(
    'api_resource_create',
  )
  api.serve(createResource, forward(createResourceInSql, 201))
  api.serve(listUnits, forward(gateway.bind<Page, z.input<typeof UnitList>>('api_unit_list')))
  const createUnitInSql = gateway.bind<z.output<typeof UnitRequest>, z.input<typeof Unit>>('api_unit_create')
  api.serve(createUnit, forward(createUnitInSql, 201))
}
