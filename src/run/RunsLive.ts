import {
  Cause,
  Clock,
  Data,
  Deferred,
  Effect,
  FiberMap,
  Layer,
  PubSub,
  Ref,
  Result,
  Schedule,
  Stream
} from "effect"
import { AgentSessions } from "../agent/AgentSessions.ts"
import { Credentials } from "../agent/Credentials.ts"
import type { RunId } from "../domain/ids.ts"
import { RunFailure, type RunOutcome } from "../domain/Outcome.ts"
import { printableTail } from "../domain/printable.ts"
import { isNothing, noTokens } from "../domain/Tokens.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import { Handoff } from "../handoff/Handoff.ts"
import { Transcripts } from "../journal/Transcripts.ts"
import { RunGrants } from "../mcp/RunGrants.ts"
import { ModelProxy } from "../proxy/ModelProxy.ts"
import { sessionsPath } from "../sandbox/runFolders.ts"
import { Sandboxes } from "../sandbox/Sandboxes.ts"
import type { Conclusion, DoneClaim } from "../scheduler/events.ts"
import { INTERRUPTED } from "../scheduler/failures.ts"
import {
  type Report,
  type RunFenced,
  type RunMessage,
  type RunOrder,
  type RunProgress,
  Runs
} from "../scheduler/Runs.ts"
import { SignalRefused } from "../scheduler/RunSignals.ts"
import { type IssueRecord, type RunRecord, tokensOf } from "../scheduler/state.ts"
import { Tracker } from "../tracker/Tracker.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { HookVariables } from "../workspace/hookEnvironment.ts"
import { Workspaces } from "../workspace/Workspaces.ts"
import { runAfterRun } from "./afterRun.ts"
import { cancelled, converse, failed } from "./converse.ts"
import { finish } from "./finish.ts"
import { forgetRuns } from "./forgetRuns.ts"
import { Listener } from "./Listener.ts"
import { deliver, makeMail } from "./mail.ts"
import { moveUntilKnown, reportMoved } from "./move.ts"
import { enter, isGone, prepare } from "./prepare.ts"
import { quiesce } from "./quiesce.ts"
import { redeliver } from "./redeliver.ts"
import { removeFinished } from "./removeFinished.ts"
import {
  handoffRequest,
  noteEnd,
  noteStage,
  type RunContext,
  type RunServices,
  workspaceOf
} from "./RunContext.ts"
import { handsOver } from "./exportWork.ts"
import { noMeters, takeUsed } from "./usage.ts"
import { whereMade } from "./whereMade.ts"
import { WorkLocks } from "./WorkLocks.ts"

/** What is logged names the session, where there has been one. */
const inSession = <A, E, R>(run: RunContext, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Ref.get(run.session), (session) =>
    session === null ? effect : Effect.annotateLogs(effect, "session_id", session)
  )

/** The part of a run that has an agent: from its claim until there is nothing more to say. */
const conversation = (run: RunContext): Effect.Effect<Conclusion, RunFenced> =>
  Effect.gen(function* () {
    const issue = yield* enter(run)
    if (isGone(issue)) return cancelled(issue.reason)
    const prepared = yield* Effect.raceFirst(
      prepare(run, issue),
      Deferred.await(run.mail.cancelled).pipe(Effect.map((reason) => ({ _tag: "Gone", reason }) as const))
    )
    return prepared._tag === "Gone"
      ? cancelled(prepared.reason)
      : yield* inSession(run, converse(run, prepared))
  }).pipe(
    Effect.scoped,
    Effect.catchTag("RunFailure", (failure) =>
      Effect.map(Deferred.isDone(run.mail.done), (done): Conclusion =>
        done ? { _tag: "Done" } : failed(failure)
      )
    )
  )

/** How a conversation ended that was cut off by the end of our process. */
const recoveredConversation = (run: RunContext): Effect.Effect<Conclusion, RunFenced> =>
  Effect.gen(function* () {
    const { record, order } = run
    if (record.move !== null) {
      const result = yield* Effect.result(moveUntilKnown(run, record.move))
      if (Result.isSuccess(result)) {
        yield* reportMoved(run, result.success.state, result.success._tag !== "elsewhere")
      }
    }
    if (record.done !== null) return { _tag: "Done" }
    if (record.cancel !== null) return cancelled(record.cancel)
    if (order.steering?.run === record.run && order.steering.reply === null) {
      return { _tag: "Ended", outcome: { _tag: "Waiting", question: order.steering.question } }
    }
    return failed(
      new RunFailure({
        class: "infrastructure",
        reason: INTERRUPTED,
        message: "symphony ended while the agent was working",
        resetAt: null
      })
    )
  })

/** Ends what the run has running, and how its conversation ended. */
const concluded = (run: RunContext): Effect.Effect<Conclusion, RunFenced> =>
  Effect.gen(function* () {
    const { record, order } = run
    if (record.conclusion !== null) {
      // Of an earlier process: it may have died in a hook.
      yield* quiesce(run)
      return record.conclusion
    }
    const conclusion = yield* order.recovering ? recoveredConversation(run) : conversation(run)
    yield* noteStage(run, "quiescing")
    yield* inSession(run, quiesce(run))
    // Nothing of the run is alive: what it has used is all that it will have used.
    const late = yield* takeUsed(run, noTokens)
    if (!isNothing(late.tokens)) yield* run.report({ _tag: "UsageCounted", ...late })
    yield* run.report({ _tag: "Quiesced", conclusion })
    return conclusion
  })

/** One run from claim, or from the stage that a predecessor died in, to its end. */
const work = (run: RunContext): Effect.Effect<void, RunFenced> =>
  Effect.gen(function* () {
    const { record } = run
    const conclusion = yield* concluded(run)
    // Whatever was signalled before the tokens were revoked counts, however the conversation ended.
    const claim =
      record.done ?? ((yield* Deferred.isDone(run.mail.done)) ? yield* Deferred.await(run.mail.done) : null)
    const outcome = yield* inSession(run, finish(run, conclusion, claim))
    yield* noteEnd(run, outcome)
    yield* run.report({ _tag: "RunEnded", outcome })
  })

/** The end of a run that a bug has ended meets a bug itself. */
class MetBug extends Data.TaggedError("MetBug") {}

const defect = (cause: Cause.Cause<never>): RunOutcome => ({
  _tag: "Failed",
  class: "infrastructure",
  reason: "defect",
  message: `a bug in symphony ended this run: ${printableTail(Cause.pretty(cause))}`,
  resetAt: null
})

/** As far as is on record of a run that another process has worked on: rather once too often than not at all. */
const hadBegun = ({ conclusion, workspace }: RunRecord): boolean =>
  workspace !== null &&
  !(
    conclusion?._tag === "Ended" &&
    conclusion.outcome._tag === "Failed" &&
    conclusion.outcome.reason === "hook_before_run"
  )

interface Handle {
  readonly run: RunContext
  readonly progress: Ref.Ref<RunProgress>
}

const make = Effect.gen(function* () {
  const services: RunServices = {
    workspaces: yield* Workspaces,
    sandboxes: yield* Sandboxes,
    sessions: yield* AgentSessions,
    credentials: yield* Credentials,
    grants: yield* RunGrants,
    proxy: yield* ModelProxy,
    handoff: yield* Handoff,
    tracker: yield* Tracker,
    transcripts: yield* Transcripts,
    listener: yield* Listener,
    files: yield* SafeFiles,
    hookVariables: yield* HookVariables,
    locks: yield* WorkLocks
  }
  const handles = new Map<RunId, Handle>()
  const fibers = yield* FiberMap.make<RunId, void, never>()
  const progressed = yield* PubSub.sliding<RunId>({ capacity: 256 })

  const contextOf = Effect.fnUntraced(function* (order: RunOrder, report: Report) {
    const { record } = order
    const progress = yield* Ref.make<RunProgress>({
      lastEvent: order.recovering ? "recovering" : "claimed",
      lastMessage: "",
      lastEventAt: yield* Clock.currentTimeMillis,
      sandbox: null
    })
    const session = yield* Ref.make(record.session)
    const run: RunContext = {
      order: { ...order, workflow: whereMade(record.workspace, order.workflow) },
      record,
      mail: yield* makeMail,
      report: (what) =>
        Effect.andThen(
          report(what),
          what._tag === "SessionOpened" ? Ref.set(session, what.session) : Effect.void
        ),
      session,
      tokens: yield* Ref.make(tokensOf(record)),
      meters: yield* Ref.make(noMeters),
      begun: yield* Ref.make(hadBegun(record)),
      turn: yield* Ref.make(record.turn),
      services,
      progress: (change) =>
        Ref.update(progress, (now) => ({ ...now, ...change })).pipe(
          Effect.andThen(PubSub.publish(progressed, record.run)),
          Effect.asVoid
        ),
      transcribe: (turn, event) => services.transcripts.append(record.identifier, record.run, turn, event)
    }
    if (record.done !== null) yield* deliver(run.mail, { _tag: "DoneAccepted", claim: record.done })
    if (record.cancel !== null) yield* deliver(run.mail, { _tag: "Cancel", reason: record.cancel })
    return { run, progress } satisfies Handle
  })

  const older = (fenced: RunFenced) => Effect.logWarning("run of an older generation ends", fenced)

  /** Tried again where it meets a bug, for as long as we live. */
  const untilDone = (effect: Effect.Effect<void, RunFenced>): Effect.Effect<void, RunFenced> =>
    effect.pipe(
      Effect.catchDefect((again) =>
        Effect.andThen(Effect.logError("run that died does not end yet", again), new MetBug())
      ),
      Effect.retry({
        while: (error) => error._tag === "MetBug",
        schedule: Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("1 minute")])
      }),
      Effect.catchTag("MetBug", Effect.die)
    )

  /** A bug in one run ends that run and says so. */
  const died = (run: RunContext, cause: Cause.Cause<never>): Effect.Effect<void> =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.failCause(cause)
      : Effect.logError("run died", cause).pipe(
          Effect.andThen(untilDone(quiesce(run))),
          Effect.andThen(
            runAfterRun(run, { outcome: "failed", state: null, claim: null, handoff: null }).pipe(
              Effect.catchDefect((again) => Effect.logError("after_run of a run that died", again))
            )
          ),
          Effect.andThen(noteEnd(run, defect(cause))),
          Effect.andThen(untilDone(run.report({ _tag: "RunEnded", outcome: defect(cause) }))),
          Effect.catchTag("RunFenced", older)
        )

  const supervised = (run: RunContext): Effect.Effect<void> =>
    work(run).pipe(
      Effect.catchTag("RunFenced", older),
      Effect.catchCause((cause) => died(run, cause)),
      Effect.annotateLogs({
        issue_id: run.record.issue,
        issue_identifier: run.record.identifier,
        run: run.record.run
      }),
      Effect.ensuring(Effect.sync(() => handles.delete(run.record.run)))
    )

  const start = Effect.fn("Runs.start")(function* (order: RunOrder, report: Report) {
    const handle = yield* contextOf(order, report)
    handles.set(order.record.run, handle)
    yield* FiberMap.run(fibers, order.record.run, supervised(handle.run))
  })

  const tell = (run: RunId, message: RunMessage): Effect.Effect<void> =>
    Effect.suspend(() => {
      const handle = handles.get(run)
      return handle === undefined ? Effect.void : deliver(handle.run.mail, message)
    })

  const verify = Effect.fn("Runs.verify")(function* (id: RunId, claim: DoneClaim) {
    const handle = handles.get(id)
    if (handle === undefined || !handsOver(handle.run, claim)) return
    const { run } = handle
    const request = yield* handoffRequest(run, workspaceOf(run).path, claim)
    // Looking at the work costs; an agent that asks ten times at once is answered one by one.
    yield* services.handoff.verify(request).pipe(
      services.locks.exclusively(request.workspace),
      Effect.catch((error) =>
        error.reason === "unverified" || error.reason === "hostile"
          ? Effect.fail(new SignalRefused({ reason: "not_verified", message: error.message }))
          : // Not the agent's to mend: the export that follows will say so.
            Effect.logWarning("work is not verified yet", error)
      )
    )
  })

  const cleanUp = Effect.fn("Runs.cleanUp")(function* (record: IssueRecord, workflow: WorkflowDefinition) {
    const place = { root: workflow.config.state.root }
    const last = record.history.at(-1)?.run
    const kept = (why: string, cause: unknown) => Effect.as(Effect.logWarning(why, cause), false)
    // An earlier process may have died in the hook that goes before.
    const left = last === undefined ? [] : yield* services.sandboxes.reap(workflow, [last])
    if (left.some(({ status }) => status !== "dead"))
      return yield* kept("a workspace is kept: what its last run left does not say whether it is dead", left)
    return yield* removeFinished(services, record, workflow).pipe(
      Effect.andThen(services.files.removeTree(place, sessionsPath(record.identifier))),
      Effect.as(true),
      Effect.catch((error) => kept("the workspace of a finished issue is kept", error))
    )
  })

  return Runs.of({
    start,
    tell,
    verify,
    cleanUp,
    workspaces: (workflow) =>
      Effect.catch(services.workspaces.made(workflow), (error) =>
        Effect.as(Effect.logWarning("workspaces cannot be looked through", error), [])
      ),
    redeliver: (record, workflow) => redeliver(services, record, workflow),
    forget: (record, workflow) => forgetRuns(services, record, workflow),
    progress: Effect.gen(function* () {
      const all = new Map<RunId, RunProgress>()
      for (const [run, { progress }] of handles) all.set(run, yield* Ref.get(progress))
      return all
    }),
    progressChanges: Stream.fromPubSub(progressed),
    awaitEmpty: FiberMap.awaitEmpty(fibers),
    interruptAll: FiberMap.clear(fibers)
  })
})

/** The workers, one scoped fiber a run. */
export const layer = Layer.effect(Runs, make)
