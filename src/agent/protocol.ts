import { Schema } from "effect"

/**
 * The parts of ACP v1 answers that we use, decoded by ourselves: the SDK parses what agents ask, not what they
 * answer. Tolerant of everything else an agent adds.
 */
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** Present and an object means "can"; its content does not matter to us. */
const Capability = optional(Schema.Record(Schema.String, Schema.Unknown))

export const InitializeAnswer = Schema.Struct({
  protocolVersion: Schema.Number,
  agentCapabilities: optional(
    Schema.Struct({
      loadSession: optional(Schema.Boolean),
      mcpCapabilities: optional(Schema.Struct({ http: optional(Schema.Boolean) })),
      sessionCapabilities: optional(Schema.Struct({ resume: Capability }))
    })
  ),
  authMethods: optional(Schema.Array(Schema.Struct({ id: Schema.String })))
})
export type InitializeAnswer = typeof InitializeAnswer.Type

const ConfigOption = Schema.Struct({
  id: Schema.String,
  category: optional(Schema.String),
  currentValue: Schema.optionalKey(Schema.Unknown),
  options: Schema.optionalKey(Schema.Unknown)
})
export type ConfigOption = typeof ConfigOption.Type

const sessionFields = {
  modes: optional(
    Schema.Struct({
      currentModeId: optional(Schema.String),
      availableModes: optional(Schema.Array(Schema.Struct({ id: Schema.String })))
    })
  ),
  configOptions: optional(Schema.Array(ConfigOption))
}

/** What `session/new` answers. */
export const NewSessionAnswer = Schema.Struct({ sessionId: Schema.NonEmptyString, ...sessionFields })

/** What `session/resume` and `session/load` answer; some agents answer `null`. */
export const TakenUpAnswer = Schema.NullOr(Schema.Struct(sessionFields))

export interface SessionSettings {
  readonly modeIds: ReadonlyArray<string>
  readonly currentMode: string | null
  readonly options: ReadonlyArray<ConfigOption>
}

export const settingsOf = (answer: typeof TakenUpAnswer.Type): SessionSettings => ({
  modeIds: (answer?.modes?.availableModes ?? []).map((mode) => mode.id),
  currentMode: answer?.modes?.currentModeId ?? null,
  options: answer?.configOptions ?? []
})

const Choice = Schema.Struct({ value: Schema.String })
const ChoiceGroup = Schema.Struct({ options: Schema.Array(Choice) })
const decodeChoices = Schema.decodeUnknownOption(Schema.Array(Schema.Union([Choice, ChoiceGroup])))

/** The values of a select option, groups flattened; empty when it is no select. */
export const choicesOf = (option: ConfigOption): ReadonlyArray<string> => {
  const decoded = decodeChoices(option.options)
  if (decoded._tag === "None") return []
  return decoded.value.flatMap((entry) =>
    "options" in entry ? entry.options.map((choice) => choice.value) : [entry.value]
  )
}

export const Usage = Schema.Struct({
  inputTokens: optional(Schema.Number),
  outputTokens: optional(Schema.Number),
  cachedReadTokens: optional(Schema.Number),
  cachedWriteTokens: optional(Schema.Number),
  totalTokens: optional(Schema.Number)
})
export type Usage = typeof Usage.Type

export const PromptAnswer = Schema.Struct({
  stopReason: Schema.String,
  usage: optional(Usage)
})
export type PromptAnswer = typeof PromptAnswer.Type
