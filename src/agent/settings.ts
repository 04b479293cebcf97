import { methods } from "@agentclientprotocol/sdk"
import { Effect, Schema } from "effect"
import { type Ask, refusal } from "./ask.ts"
import { agentFailure } from "./failures.ts"
import type { Launch } from "./launch.ts"
import { choicesOf, type SessionSettings } from "./protocol.ts"

/** Puts a session into the mode that asks nobody, and onto the model that was asked for. */
export const configure = Effect.fnUntraced(function* (
  ask: Ask,
  launch: Launch,
  sessionId: string,
  settings: SessionSettings,
  model: string | null
) {
  const set = (what: string, configId: string, value: string) =>
    ask(`the ${what} "${value}"`, Schema.Unknown, (agent) =>
      agent.request(methods.agent.session.setConfigOption, { sessionId, configId, value })
    )

  const modeOption = settings.options.find((option) => option.category === "mode")
  const offered = [...settings.modeIds, ...(modeOption === undefined ? [] : choicesOf(modeOption))]
  // A resumed session may come without a list; then the agent's answer to the request tells.
  const mode =
    offered.length === 0 && !launch.own
      ? launch.unattendedModes[0]
      : launch.unattendedModes.find((id) => offered.includes(id))
  if (mode === undefined && launch.unattendedModes.length > 0 && !launch.own)
    return yield* agentFailure(
      "capability",
      `${launch.name} does not offer to work unattended (${launch.unattendedModes.join(" or ")}); it offers: ${offered.join(", ")}`
    )
  if (mode !== undefined && mode !== settings.currentMode) {
    yield* (
      modeOption !== undefined && !settings.modeIds.includes(mode)
        ? set("mode", modeOption.id, mode)
        : ask(`the mode "${mode}"`, Schema.Unknown, (agent) =>
            agent.request(methods.agent.session.setMode, { sessionId, modeId: mode })
          )
    ).pipe(Effect.catchTag("PeerRefused", refusal(launch)(`the mode "${mode}"`)))
  }

  const modelOption = settings.options.find((option) => option.category === "model")
  if (model === null) {
    const chosen = modelOption?.currentValue
    if (launch.unwantedModel !== null && typeof chosen === "string" && launch.unwantedModel.test(chosen))
      return yield* agentFailure(
        "capability",
        `${launch.name} would use "${chosen}" at its vendor, because no model is configured; set acp.model`
      )
    return
  }
  if (modelOption === undefined)
    return yield* agentFailure(
      "capability",
      `${launch.name} does not let its model be chosen; remove acp.model ("${model}")`
    )
  yield* set("model", modelOption.id, model).pipe(
    Effect.catchTag("PeerRefused", () =>
      Effect.fail(
        agentFailure(
          "capability",
          `${launch.name} does not offer the model "${model}"; it offers: ${choicesOf(modelOption).slice(0, 30).join(", ")}`
        )
      )
    )
  )
})
