import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import { OpenApi } from "effect/http-api"
import { Api } from "../../src/http/api/Api.ts"

/** The document that programs are given of the API. */
export const document = OpenApi.fromApi(Api)

const METHODS = ["get", "post", "put", "patch", "delete"] as const

export interface Operation {
  readonly method: string
  /** As in the document: `/api/v1/issues/{identifier}`. */
  readonly template: string
  readonly responses: Readonly<Record<string, { readonly content?: object }>>
}

export const operations: ReadonlyArray<Operation> = Object.entries(document.paths).flatMap(
  ([template, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [{ method, template, responses: operation.responses }]
    })
)

/** What the API does not describe: endpoints of agents, parts of pages, the stream of changes, the document itself. */
const BESIDE = /^\/api\/v1\/(issues\/[^/]+\/(mcp$|model\/)|partials\/|events$|openapi\.json$)/

const fits = (template: string, path: string): boolean =>
  new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(path)

/** The operations of the path that answers: the names of routes go before an identifier. */
const atPath = (path: string): ReadonlyArray<Operation> => {
  const found = operations.filter(({ template }) => fits(template, path))
  const exact = found.filter(({ template }) => template === path)
  return exact.length > 0 ? exact : found
}

const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(document, "document")
const validators = new Map<string, ValidateFunction>()
const validatorOf = ({ method, template }: Operation, status: number): ValidateFunction => {
  const pointer = template.replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")
  const reference = `document#/paths/${pointer}/${method}/responses/${status}/content/application~1json/schema`
  const known = validators.get(reference) ?? ajv.compile({ $ref: reference })
  validators.set(reference, known)
  return known
}

/** What is wrong with an answer by the document; null where it says so, or says nothing of that address. */
export const undocumented = (
  method: string,
  url: string,
  answer: { readonly status: number; readonly type: string; readonly text: string }
): string | null => {
  const path = url.split("?", 1)[0] ?? ""
  const there = atPath(path)
  if (BESIDE.test(path) || there.length === 0) return null
  const own = there.filter(
    (operation) => operation.method === (method === "HEAD" ? "get" : method.toLowerCase())
  )
  // A method that the path does not know is answered for all that it does.
  for (const operation of own.length > 0 ? own : there) {
    const what = `${method} ${url} answers ${answer.status}`
    if (operation.responses[String(answer.status)] === undefined) {
      return `${what}, which the document does not list`
    }
    if (!answer.type.startsWith("application/json")) continue
    const validate = validatorOf(operation, answer.status)
    if (!validate(JSON.parse(answer.text))) {
      return `${what} with what the document does not describe: ${ajv.errorsText(validate.errors)}`
    }
  }
  return null
}
