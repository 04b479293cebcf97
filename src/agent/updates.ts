import { Option, Schema } from "effect"
import { Currency, MAX_AMOUNT, type RunningCost } from "../domain/Cost.ts"
import { AgentEvent } from "./AgentSessions.ts"
import { capped, oneLine } from "./text.ts"

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Notification = Schema.Struct({
  sessionId: optional(Schema.String),
  update: Schema.Struct({
    sessionUpdate: Schema.String,
    content: Schema.optionalKey(Schema.Unknown),
    toolCallId: optional(Schema.String),
    title: optional(Schema.String),
    status: optional(Schema.String),
    entries: Schema.optionalKey(Schema.Unknown),
    used: optional(Schema.Number),
    size: optional(Schema.Number),
    cost: Schema.optionalKey(Schema.Unknown),
    _meta: Schema.optionalKey(Schema.Unknown)
  })
})
type Update = (typeof Notification.Type)["update"]
const decodeNotification = Schema.decodeUnknownOption(Notification)

const decodeText = Schema.decodeUnknownOption(Schema.Struct({ text: Schema.String }))
const decodeToolContent = Schema.decodeUnknownOption(
  Schema.Array(
    Schema.Union([
      Schema.Struct({ content: Schema.Struct({ text: Schema.String }) }),
      Schema.Struct({ type: Schema.Literal("diff"), path: Schema.String }),
      Schema.Unknown
    ])
  )
)
const decodePlan = Schema.decodeUnknownOption(
  Schema.Array(Schema.Struct({ content: Schema.String, status: optional(Schema.String) }))
)
/** Agents that do not know a price say 0: that is not known, and not free. */
const decodeCost = Schema.decodeUnknownOption(
  Schema.Struct({
    amount: Schema.Finite.pipe(Schema.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(MAX_AMOUNT))),
    currency: Currency
  })
)
const decodeThreadStatus = Schema.decodeUnknownOption(
  Schema.Struct({ codex: Schema.Struct({ threadStatus: Schema.Struct({ type: Schema.String }) }) })
)

const hasContent = Schema.is(Schema.Struct({ content: Schema.Struct({ text: Schema.String }) }))
const hasPath = Schema.is(Schema.Struct({ path: Schema.String }))

const toolText = (content: unknown): string =>
  Option.getOrElse(decodeToolContent(content), () => [])
    .map((part) => (hasContent(part) ? part.content.text : hasPath(part) ? part.path : ""))
    .filter((text) => text !== "")
    .join("\n")

/** What one `session/update` means to us. */
export interface ReadUpdate {
  /** The session that it is about; `null` where the agent does not say. */
  readonly session: string | null
  /** What a tool call is called from now on. */
  readonly toolTitle: { readonly id: string; readonly title: string } | null
  /** `null`: nothing that a person would want to read. */
  readonly event: AgentEvent | null
  /** The agent reported that its model or itself is broken, although the turn may "end well". */
  readonly systemError: boolean
  /** What the session has cost so far; `null` where it does not say. */
  readonly cost: RunningCost | null
}

type Meaning = Pick<ReadUpdate, "event" | "systemError" | "cost">

const quiet: Meaning = { event: null, systemError: false, cost: null }
const tell = (event: AgentEvent): Meaning => ({ ...quiet, event })

const chunk = (update: Update): string | null =>
  Option.match(decodeText(update.content), { onNone: () => null, onSome: ({ text }) => capped(text) })

const toolTitle = ({ title, toolCallId }: Update): ReadUpdate["toolTitle"] => {
  const line = oneLine(title ?? "", 500)
  return line === "" || toolCallId == null ? null : { id: oneLine(toolCallId, 200), title: line }
}

/** Unknown kinds and kinds that say nothing to a person are quiet; so is anything that is malformed. */
export const readUpdate = (params: unknown): ReadUpdate => {
  const decoded = decodeNotification(params)
  if (Option.isNone(decoded)) return { session: null, toolTitle: null, ...quiet }
  const { sessionId, update } = decoded.value
  return { session: sessionId ?? null, toolTitle: toolTitle(update), ...meaningOf(update) }
}

const meaningOf = (update: Update): Meaning => {
  switch (update.sessionUpdate) {
    case "agent_message_chunk": {
      const text = chunk(update)
      return text === null ? quiet : tell({ _tag: "Message", text })
    }
    case "agent_thought_chunk": {
      const text = chunk(update)
      return text === null ? quiet : tell({ _tag: "Thought", text })
    }
    case "tool_call":
      return tell({
        _tag: "ToolCall",
        id: oneLine(update.toolCallId ?? "", 200),
        title: oneLine(update.title ?? "", 500),
        status: oneLine(update.status ?? "pending", 40)
      })
    case "tool_call_update":
      return tell({
        _tag: "ToolUpdate",
        id: oneLine(update.toolCallId ?? "", 200),
        status: oneLine(update.status ?? "", 40),
        text: capped(toolText(update.content))
      })
    case "plan":
      return Option.match(decodePlan(update.entries), {
        onNone: () => quiet,
        onSome: (entries) =>
          tell({
            _tag: "Plan",
            text: capped(entries.map((entry) => `${entry.status ?? "pending"}: ${entry.content}`).join("\n"))
          })
      })
    case "usage_update":
      return {
        ...tell({
          _tag: "Context",
          used: Math.max(0, Math.round(update.used ?? 0)),
          size: Math.max(0, Math.round(update.size ?? 0))
        }),
        cost: Option.getOrNull(decodeCost(update.cost))
      }
    case "session_info_update":
      return {
        ...quiet,
        systemError: Option.exists(
          decodeThreadStatus(update._meta),
          (meta) => meta.codex.threadStatus.type === "systemError"
        )
      }
    default:
      return quiet
  }
}
