import { Effect, Schema, SchemaAST } from "effect"

/** The names from the top of the front matter down to one value, as Schema issues carry them. */
export type KeyPath = ReadonlyArray<PropertyKey>

/**
 * A key that may be left out. `expected` completes "expected …" in messages and stands as the type in
 * WORKFLOW.template.md; `shown` is the default as people read it, where that differs from the value.
 */
export const key = <S extends Schema.Top>(
  expected: string,
  schema: S,
  fallback: S["Encoded"],
  shown?: string
) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(fallback))).annotate({
    expected,
    keyDefault: shown ?? JSON.stringify(fallback)
  })

/** A key that has to be there. */
export const requiredKey = <S extends Schema.Top>(expected: string, schema: S) =>
  schema.annotate({ expected, keyDefault: "required" })

const text = (ast: SchemaAST.AST, name: "expected" | "keyDefault"): string | undefined => {
  const value = SchemaAST.resolve(ast)?.[name]
  return typeof value === "string" ? value : undefined
}

/** What lies below a value: named keys, and at `*` what every other member must be. */
const childrenOf = (ast: SchemaAST.AST): ReadonlyMap<string, SchemaAST.AST> => {
  if (SchemaAST.isUnion(ast)) {
    return new Map(ast.types.flatMap((type) => [...childrenOf(type)]))
  }
  if (SchemaAST.isArrays(ast)) return new Map(ast.rest.map((type) => ["*", type]))
  if (!SchemaAST.isObjects(ast)) return new Map()
  return new Map([
    ...ast.indexSignatures.map(({ type }) => ["*", type] as const),
    ...ast.propertySignatures.map(({ name, type }) => [String(name), type] as const)
  ])
}

const childAt = (ast: SchemaAST.AST, step: PropertyKey): SchemaAST.AST | undefined => {
  const children = childrenOf(ast)
  return children.get(String(step)) ?? children.get("*")
}

/** What the nearest described value at or above `path` has to be. */
export const expectedAt = (schema: Schema.Top, path: KeyPath): string => {
  let ast: SchemaAST.AST | undefined = schema.ast
  let expected = "a map of keys"
  for (const step of path) {
    ast = childAt(ast, step)
    if (ast === undefined) return expected
    expected = text(ast, "expected") ?? expected
  }
  return expected
}

export interface KeyEntry {
  /** Dotted; `states.*.role` for a key of every state, `smolvm.volumes.*.host` for one of every item. */
  readonly name: string
  readonly expected: string
  readonly default: string
}

/** Every key there is, in the order of the schema. */
export const keysOf = (schema: Schema.Top): ReadonlyArray<KeyEntry> => {
  const below = (ast: SchemaAST.AST, prefix: string): ReadonlyArray<KeyEntry> =>
    [...childrenOf(ast)].flatMap(([step, child]) => {
      const name = prefix === "" ? step : `${prefix}.${step}`
      const own = text(child, "keyDefault")
      const entry = { name, expected: text(child, "expected") ?? "", default: own ?? "" }
      return [...(own === undefined ? [] : [entry]), ...below(child, name)]
    })
  return below(schema.ast, "")
}

const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (const [i, a] of [...left].entries()) {
    const next = [i + 1]
    for (const [j, b] of [...right].entries()) {
      const change = (row[j] ?? 0) + (a === b ? 0 : 1)
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[right.length] ?? 0
}

/** The candidate a mistyped word was most likely meant to be. */
export const nearest = (word: string, candidates: Iterable<string>): string | undefined => {
  const typed = word.slice(0, 60).toLowerCase()
  const [best] = [...candidates]
    .map((candidate) => ({ candidate, off: distance(typed, candidate.toLowerCase()) }))
    .filter(({ candidate, off }) => off <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.off - b.off)
  return best?.candidate
}

/**
 * The key an unknown one was likely meant to be: one beside it, else one of that name in another section.
 * `names` are those of `keysOf(schema)`.
 */
export const suggestionFor = (
  schema: Schema.Top,
  names: ReadonlyArray<string>,
  path: KeyPath
): string | undefined => {
  const typed = String(path.at(-1))
  let ast: SchemaAST.AST | undefined = schema.ast
  for (const step of path.slice(0, -1)) ast = ast === undefined ? undefined : childAt(ast, step)
  const siblings = ast === undefined ? [] : [...childrenOf(ast).keys()].filter((name) => name !== "*")
  return nearest(typed, siblings) ?? names.find((name) => name.endsWith(`.${typed}`) && !name.includes("*"))
}
