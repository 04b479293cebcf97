/** The little that scripted models look at in what agents send. */
export type Json = Readonly<Record<string, unknown>>

export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const list = (value: unknown): ReadonlyArray<Json> =>
  Array.isArray(value) ? value.filter(isJson) : []

export const text = (value: unknown): string => (typeof value === "string" ? value : "")

export const parse = (body: string): Json => {
  const value: unknown = body === "" ? {} : JSON.parse(body)
  return isJson(value) ? value : {}
}
