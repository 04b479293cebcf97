import { Context, Effect, Layer, Ref, SubscriptionRef } from "effect"
import type { Problem } from "../domain/Problem.ts"
import { Workflow } from "./Workflow.ts"
import type { WorkflowDefinition } from "./WorkflowConfig.ts"

/** The other end of a workflow in memory: what an editor is for the one in a file. */
export class WorkflowEditor extends Context.Service<
  WorkflowEditor,
  {
    /** A good edit: in force at once, and there are no problems any more. */
    readonly set: (definition: WorkflowDefinition) => Effect.Effect<void>
    /** A bad edit: what is in force stays. */
    readonly reject: (problems: ReadonlyArray<Problem>) => Effect.Effect<void>
  }
>()("symphony/workflow/WorkflowEditor") {}

export const layer = (initial: WorkflowDefinition): Layer.Layer<Workflow | WorkflowEditor> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const inForce = yield* SubscriptionRef.make(initial)
      const problems = yield* Ref.make<ReadonlyArray<Problem>>([])
      const workflow = Workflow.of({
        current: SubscriptionRef.get(inForce),
        changes: SubscriptionRef.changes(inForce),
        problems: Ref.get(problems),
        refresh: Effect.void
      })
      const editor = WorkflowEditor.of({
        set: (definition) => Effect.andThen(Ref.set(problems, []), SubscriptionRef.set(inForce, definition)),
        reject: (found) => Ref.set(problems, found)
      })
      return Context.make(Workflow, workflow).pipe(Context.add(WorkflowEditor, editor))
    })
  )
