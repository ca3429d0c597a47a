import type { OpenAPIHono } from '@hono/zod-openapi'
import { REFERENCE_STYLE } from './reference-style.ts'

type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>
type Node = Readonly<Record<string, unknown>>

const METHODS = ['get', 'post', 'put', 'patch', 'delete']

/** The OpenAPI document as one HTML page for people, without scripts and without anything from elsewhere. */
export function renderReference(document: OpenApiDocument): string {
  const tags = (document.tags ?? []).map(({ name }) => ({ name, operations: operationsOf(document, name) }))
  const schemas = Object.entries(asNode(asNode(document.components)['schemas']))
  const navigation = tags.map(
    ({ name, operations }) => `<h2>${escapeHtml(name)}</h2>${list(operations.map(renderLink))}`,
  )
  const sections = tags.map(
    ({ name, operations }) => `<h2>${escapeHtml(name)}</h2>${operations.map(renderOperation).join('')}`,
  )
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(document.info.title)} API</title>
<style>${REFERENCE_STYLE}</style></head><body>
<nav><h1>${escapeHtml(document.info.title)} API</h1><p><a href="/openapi.json">openapi.json</a></p>${navigation.join('')}
<h2>Schemas</h2>${list(schemas.map(([name]) => schemaLink(name)))}</nav>
<main>${prose(document.info.description)}${sections.join('')}
<h2>Schemas</h2>${schemas.map(([name, schema]) => renderNamedSchema(name, asNode(schema))).join('')}</main></body></html>`
}

interface Operation {
  readonly method: string
  readonly path: string
  readonly node: Node
}

function operationsOf(document: OpenApiDocument, tag: string): readonly Operation[] {
  return Object.entries(asNode(document.paths)).flatMap(([path, item]) =>
    METHODS.map((method) => ({ method, path, node: asNode(asNode(item)[method]) })).filter(({ node }) =>
      asList(node['tags']).includes(tag),
    ),
  )
}

function renderLink({ method, path, node }: Operation): string {
  return `<a href="#${escapeHtml(node['operationId'])}"><b class="${method}">${method}</b> ${escapeHtml(path)}</a>`
}

function renderOperation({ method, path, node }: Operation): string {
  const body = asNode(asNode(asNode(asNode(node['requestBody'])['content'])['application/json']))
  const responses = Object.entries(asNode(node['responses']))
  return `<section id="${escapeHtml(node['operationId'])}"><h3><b class="${method}">${method}</b> <code>${escapeHtml(path)}</code></h3>
<p class="summary">${escapeHtml(node['summary'])}</p>${prose(node['description'])}
${renderParameters(asList(node['parameters']).map(asNode))}
${body['schema'] ? `<h4>Body</h4>${renderSchema(asNode(body['schema']))}${renderExample(body['example'])}` : ''}
<h4>Answers</h4><dl>${responses.map(([status, response]) => renderResponse(status, asNode(response))).join('')}</dl></section>`
}

function renderParameters(parameters: readonly Node[]): string {
  if (parameters.length === 0) return ''
  const rows = parameters.map((parameter) =>
    renderRow(
      `${parameter['name']}`,
      asNode(parameter['schema']),
      parameter['required'] === true,
      `${parameter['in']}`,
    ),
  )
  return `<h4>Parameters</h4><table>${rows.join('')}</table>`
}

function renderResponse(status: string, response: Node): string {
  const content = asNode(Object.values(asNode(response['content']))[0])
  const isSuccess = status.startsWith('2')
  const details = isSuccess ? `${typeOf(asNode(content['schema']))}${renderExample(content['example'])}` : ''
  return `<dt class="${isSuccess ? 'ok' : 'error'}">${status}</dt><dd>${inline(response['description'])} ${details}</dd>`
}

function renderNamedSchema(name: string, schema: Node): string {
  return `<section id="schema-${escapeHtml(name)}"><h3>${escapeHtml(name)}</h3>${prose(schema['description'])}${renderSchema(schema)}</section>`
}

function renderSchema(schema: Node): string {
  const parts = asList(schema['allOf']).map(asNode)
  if (parts.length > 0) return parts.map(renderSchema).join('')
  const properties = Object.entries(asNode(schema['properties']))
  if (properties.length === 0) return `<p>${typeOf(schema)}</p>`
  const required = asList(schema['required'])
  const rows = properties.map(([name, property]) => renderRow(name, asNode(property), required.includes(name), ''))
  return `<table>${rows.join('')}</table>`
}

function renderRow(name: string, schema: Node, isRequired: boolean, place: string): string {
  const notes = [place, isRequired ? 'required' : ''].filter(Boolean).join(', ')
  return `<tr><td><code>${escapeHtml(name)}</code> <small>${notes}</small></td><td>${typeOf(schema)}</td><td>${inline(schema['description'])} <small>${escapeHtml(boundsOf(schema))}</small></td></tr>`
}

/** The type in a few words, with links to named schemas. */
function typeOf(schema: Node): string {
  if (typeof schema['$ref'] === 'string') return schemaLink(schema['$ref'].split('/').at(-1) ?? '')
  const options = [...asList(schema['anyOf']), ...asList(schema['oneOf'])]
    .map(asNode)
    .filter((option) => !option['required'])
  if (options.length > 0 && !schema['properties']) return options.map(typeOf).join(' or ')
  if (schema['items']) return `array of ${typeOf(asNode(schema['items']))}`
  const values = asList(schema['enum'])
  if (values.length > 0) return values.map((value) => `<code>${escapeHtml(JSON.stringify(value))}</code>`).join(' ')
  const type = [schema['type']].flat().filter(Boolean).join(' or ')
  const inner = Object.keys(asNode(schema['properties'])).length > 0 ? renderSchema(schema) : ''
  return `${escapeHtml(schema['format'] ? `${type} (${schema['format']})` : type || 'anything')}${inner}`
}

function boundsOf(schema: Node): string {
  const bounds: readonly (readonly [string, string])[] = [
    ['minimum', '≥ '],
    ['exclusiveMinimum', '> '],
    ['maximum', '≤ '],
    ['exclusiveMaximum', '< '],
    ['minLength', 'min. length '],
    ['maxLength', 'max. length '],
    ['default', 'default '],
  ]
  return bounds.flatMap(([key, label]) => (schema[key] === undefined ? [] : [`${label}${schema[key]}`])).join(', ')
}

function renderExample(example: unknown): string {
  return example === undefined ? '' : `<pre>${escapeHtml(JSON.stringify(example, null, 2))}</pre>`
}

function schemaLink(name: string): string {
  return `<a href="#schema-${escapeHtml(name)}">${escapeHtml(name)}</a>`
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`
}

/** The little Markdown that our descriptions use: paragraphs, lists, code and bold. */
function prose(text: unknown): string {
  if (typeof text !== 'string') return ''
  const blocks = text
    .split('\n\n')
    .map((block) =>
      block.startsWith('- ') ? list(block.split('\n').map((line) => inline(line.slice(2)))) : `<p>${inline(block)}</p>`,
    )
  return blocks.join('')
}

function inline(text: unknown): string {
  return escapeHtml(text ?? '')
    .replace(/`([^`]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
}

function escapeHtml(text: unknown): string {
  return String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}

function asNode(value: unknown): Node {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
