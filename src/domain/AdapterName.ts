import { Schema } from "effect"

/** The agents that symphony knows how to run. `demo` is scripted: no model is involved. */
export const AdapterName = Schema.Literals(["claude", "codex", "opencode", "demo"])
export type AdapterName = typeof AdapterName.Type
