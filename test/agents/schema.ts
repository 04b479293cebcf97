import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Ajv2020 } from "ajv/dist/2020.js"
import { type Json, text } from "./models/json.ts"
import type { WireMessage } from "./wire.ts"

const path = createRequire(import.meta.url).resolve("@agentclientprotocol/sdk/schema/v1/schema.json")
const schema: { readonly $defs: Readonly<Record<string, Json>> } = JSON.parse(readFileSync(path, "utf8"))
const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
ajv.addSchema(schema, "acp")

/** The published definition of a method's `Request`, `Response` or `Notification`. */
const definition = (method: string, kind: "Request" | "Response" | "Notification"): string | undefined =>
  Object.entries(schema.$defs).find(
    ([name, value]) => value["x-method"] === method && name.endsWith(kind)
  )?.[0]

const violations = (what: string, name: string, value: unknown): ReadonlyArray<string> => {
  const check = ajv.getSchema(`acp#/$defs/${name}`)
  if (check === undefined) return [`${name} cannot be compiled`]
  return check(value) === true ? [] : [`${what} (${name}): ${ajv.errorsText(check.errors)}`]
}

const problemsOf = (method: string, kind: "Request" | "Response" | "Notification", value: unknown) => {
  const name = definition(method, kind)
  return name === undefined
    ? [`${method}: no ${kind} of that name is published`]
    : violations(method, name, value)
}

/** What is wrong with the messages that symphony sent, by the published schema; answers to the agent included. */
export const problems = (wire: ReadonlyArray<WireMessage>): ReadonlyArray<string> => {
  const asked = new Map<unknown, string>()
  for (const { from, message } of wire)
    if (from === "agent" && message["method"] !== undefined && message["id"] !== undefined)
      asked.set(message["id"], text(message["method"]))
  return wire
    .filter(({ from }) => from === "symphony")
    .flatMap(({ message }) => {
      if (message["jsonrpc"] !== "2.0") return ["a message without jsonrpc: 2.0"]
      const method = message["method"]
      if (typeof method === "string")
        return problemsOf(method, message["id"] === undefined ? "Notification" : "Request", message["params"])
      const answered = asked.get(message["id"])
      if (answered === undefined) return ["an answer to nothing"]
      return message["error"] === undefined
        ? problemsOf(answered, "Response", message["result"])
        : violations(answered, "Error", message["error"])
    })
}
