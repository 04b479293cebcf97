import { Context, type Effect, Schema, type Stream } from "effect"
import { Problem, renderProblem } from "../domain/Problem.ts"
import type { WorkflowDefinition } from "./WorkflowConfig.ts"

export class WorkflowError extends Schema.TaggedError<WorkflowError>()("WorkflowError", {
  path: Schema.String,
  code: Schema.Literals([
    "missing_workflow_file",
    "workflow_parse_error",
    "workflow_front_matter_not_a_map",
    "invalid_workflow"
  ]),
  /** All of them, in file order; each `where` is `FILE:LINE:COL` and each message starts with its key. */
  problems: Schema.Array(Problem)
}) {
  override get message(): string {
    return this.problems.map(renderProblem).join("\n")
  }
}

export class PromptError extends Schema.TaggedError<PromptError>()("PromptError", {
  code: Schema.Literals(["template_parse_error", "template_render_error"]),
  /** `FILE:LINE:COL`, as for what is wrong when the file is read. */
  where: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.where} prompt: ${this.detail}`
  }
}

/** WORKFLOW.md as last read without an error. A bad edit changes nothing and is shown. */
export class Workflow extends Context.Service<
  Workflow,
  {
    readonly current: Effect.Effect<WorkflowDefinition>
    /** The present definition, then each good one that follows. */
    readonly changes: Stream.Stream<WorkflowDefinition>
    /** Warnings of the definition in force, and why the newest edit was refused. */
    readonly problems: Effect.Effect<ReadonlyArray<Problem>>
    /** Reads the file now, for when an event was missed. Never fails: problems tell. */
    readonly refresh: Effect.Effect<void>
  }
>()("symphony/workflow/Workflow") {}
