import { Context, type Effect, type Redacted, Schema, type Scope, type Stream } from "effect"
import type { RunningCost } from "../domain/Cost.ts"
import { Tokens } from "../domain/Tokens.ts"
import type { Sandbox } from "../sandbox/Sandboxes.ts"
import type { AdapterName } from "../domain/AdapterName.ts"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"
import type { CostTaken } from "./costMeter.ts"

/** What an agent said or did, for people. Texts are untrusted and capped. */
export const AgentEvent = Schema.TaggedUnion({
  Message: { text: Schema.String },
  Thought: { text: Schema.String },
  ToolCall: { id: Schema.String, title: Schema.String, status: Schema.String },
  ToolUpdate: { id: Schema.String, status: Schema.String, text: Schema.String },
  Plan: { text: Schema.String },
  /** Occupancy of the context window; never a consumption. */
  Context: { used: Schema.Int, size: Schema.Int },
  Permission: { title: Schema.String, answer: Schema.String },
  Stderr: { text: Schema.String },
  /** A line or request that we refused, or updates that were dropped for their number. */
  Notice: { text: Schema.String }
})
export type AgentEvent = typeof AgentEvent.Type

export class AgentError extends Schema.TaggedError<AgentError>()("AgentError", {
  /**
   * `not_found`: its command is not there; `launch`: it ended by itself before it answered
   * `initialize`; `start`: it was not started, or killed before that; `lost`: its sandbox went away; `protocol`: a
   * line that is no message, or an answer that we cannot use; `auth`: a credential is missing or refused;
   * `billing`: the account that pays for the model cannot;
   * `rate_limit`: see `resetAt`; `read_timeout`, `prompt_timeout`, `stall_timeout`;
   * `exit`: the process ended within a turn; `turn`: the agent ended its turn without success; `system`: the
   * model or the adapter failed; `input_required`: a request for a person's input that is not a permission;
   * `flood`: a line over the size cap or more updates than can be taken; `capability`: the agent lacks MCP over HTTP.
   */
  reason: Schema.Literals([
    "not_found",
    "launch",
    "start",
    "lost",
    "protocol",
    "auth",
    "billing",
    "rate_limit",
    "read_timeout",
    "prompt_timeout",
    "stall_timeout",
    "exit",
    "turn",
    "system",
    "input_required",
    "flood",
    "capability"
  ]),
  detail: Schema.String,
  /** Epoch milliseconds, where the agent told when to come back. */
  resetAt: Schema.NullOr(Schema.Number)
}) {
  override get message(): string {
    return `agent: ${this.detail}`
  }
}

export interface TurnResult {
  /** `cancelled` only after our own cancel. Everything but these two is an `AgentError`. */
  readonly stopReason: "end_turn" | "cancelled"
  /** Of this turn alone, without its cost; source `unknown` where the agent does not tell. */
  readonly tokens: typeof Tokens.Type
}

export interface AgentSession {
  /** The agent's own name of the session; resume with it. */
  readonly sessionId: string
  /** Whether the agent took up the session that was asked for. */
  readonly resumed: boolean
  /** One at a time. Bounded by `prompt_timeout_ms` in total and by `stall_timeout_ms` without progress. */
  readonly prompt: (text: string) => Effect.Effect<TurnResult, AgentError>
  /** Asks the agent to end its turn; the prompt answers `cancelled`. Does nothing between turns. */
  readonly cancel: Effect.Effect<void>
  /** What the agent says that it has cost since this was last asked, in turns that ended well and in others. */
  readonly takeCost: Effect.Effect<CostTaken>
  /** Bounded: a slow reader loses the oldest and is told so by a `Notice`. Ends with the session. */
  readonly events: Stream.Stream<AgentEvent>
}

export interface AgentSessionOptions {
  readonly sandbox: Sandbox
  readonly adapter: AdapterName
  readonly acp: WorkflowConfig["acp"]
  readonly model: string | null
  /** Where the guest reaches its model; null leaves the agent's own address. */
  readonly modelUrl: string | null
  /** Absolute path in the guest. */
  readonly cwd: string
  readonly mcp: { readonly url: string; readonly token: Redacted.Redacted }
  /** Taken up where the agent can; a new session otherwise. */
  readonly resume: string | null
  /** The running cost that it last told; null where it is not known. */
  readonly costBefore: RunningCost | null
}

/** Starts agents and speaks ACP with them. Closing the scope ends the agent's process. */
export class AgentSessions extends Context.Service<
  AgentSessions,
  {
    /** Launch, `initialize`, new or resumed session, mode and model: ready for a prompt. */
    readonly open: (options: AgentSessionOptions) => Effect.Effect<AgentSession, AgentError, Scope.Scope>
  }
>()("symphony/agent/AgentSessions") {}
