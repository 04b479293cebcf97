import { Effect, Ref, type Scope } from "effect"
import { programsOf } from "../agent/adapters.ts"
import type { AgentSession } from "../agent/AgentSessions.ts"
import { launchOf } from "../agent/launch.ts"
import { Issue } from "../domain/Issue.ts"
import { type CancelReason, RunFailure } from "../domain/Outcome.ts"
import { policyOf, roleOf, sameState } from "../domain/State.ts"
import { modelPath } from "../proxy/routes.ts"
import type { RunFenced } from "../scheduler/Runs.ts"
import { renderPrompt } from "../workflow/prompt.ts"
import { failureOf } from "./failures.ts"
import { moveTo } from "./move.ts"
import { hookContext, noteStage, type RunContext } from "./RunContext.ts"

/** The issue is no longer there to be worked on. */
export interface Gone {
  readonly _tag: "Gone"
  readonly reason: CancelReason
}

/** The issue as it is now, or why it is not to be worked on. What cannot be read is a failure, not an absence. */
export const currentIssue = (run: RunContext): Effect.Effect<Issue | Gone, RunFailure> => {
  const { states } = run.order.workflow.config
  return run.services.tracker.read(run.record.issue).pipe(
    Effect.map((issue): Issue | Gone => {
      const role = roleOf(states, issue.state)
      return role === "active"
        ? issue
        : { _tag: "Gone", reason: role === "terminal" ? "moved_to_terminal" : "moved_to_inactive" }
    }),
    Effect.catchTag("IssueNotFound", () => Effect.succeed<Gone>({ _tag: "Gone", reason: "issue_missing" })),
    Effect.mapError(failureOf)
  )
}

export const isGone = (found: Issue | Gone): found is Gone => "_tag" in found && found._tag === "Gone"

/** Moves an issue that is started to where its state says, if it says so. */
const enterStartState = (run: RunContext, issue: Issue): Effect.Effect<Issue, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    const { states } = run.order.workflow.config
    const target = policyOf(states, issue.state)?.onStart ?? null
    if (target === null || sameState(target, issue.state)) return issue
    const { fileName, inode } = issue
    const state = yield* moveTo(run, {
      to: target,
      first: { from: issue.state, to: target, fileName, inode },
      leaves: (state) => sameState(state, issue.state),
      taken: (message) =>
        new RunFailure({ class: "configuration", reason: "start_state_taken", message, resetAt: null })
    })
    return new Issue({ ...issue, state: state ?? issue.state })
  })

/**
 * The issue as it is now, moved to where its state says that it is worked on. Not to be cancelled: a move that
 * was begun is ended.
 */
export const enter = (run: RunContext): Effect.Effect<Issue | Gone, RunFailure | RunFenced> =>
  Effect.gen(function* () {
    const found = yield* currentIssue(run)
    return isGone(found) ? found : yield* enterStartState(run, found)
  })

export interface Prepared {
  readonly _tag: "Prepared"
  readonly issue: Issue
  /** The workflow's, for a session that does not know the issue yet. */
  readonly prompt: string
  readonly session: AgentSession
}

/**
 * From the claim to an agent that waits for its first prompt: base branch, workspace, `before_run`, sandbox, tokens,
 * session. All of it belongs to the scope.
 */
export const prepare = (
  run: RunContext,
  issue: Issue
): Effect.Effect<Prepared, RunFailure | RunFenced, Scope.Scope> =>
  Effect.gen(function* () {
    const { order, record, services } = run
    const { config } = order.workflow

    const adapterName = policyOf(config.states, issue.state)?.adapter ?? config.acp.adapter
    const launch = launchOf(adapterName, config.acp)

    // Nothing is made and nothing booted for a prompt that cannot be rendered.
    const prompt = yield* renderPrompt(order.workflow, {
      issue,
      attempt: record.retryAttempt,
      retryKind: record.kind === "first" ? null : record.kind === "retry" ? "failure" : record.kind
    }).pipe(Effect.mapError(failureOf))

    yield* noteStage(run, "workspace")
    yield* services.handoff.fetchBase(order.workflow).pipe(Effect.mapError(failureOf))
    const workspace = yield* services.workspaces
      .ensure(record.identifier, order.workflow, hookContext(run, { state: issue.state }))
      .pipe(Effect.mapError(failureOf))
    yield* run.report({ _tag: "WorkspaceReady", path: workspace.path })
    yield* services.workspaces
      .runHook("before_run", hookContext(run, { state: issue.state }))
      .pipe(Effect.mapError(failureOf))
    yield* Ref.set(run.begun, true)

    yield* noteStage(run, "sandbox", config.sandbox.kind)
    const credentials = yield* services.credentials
      .forRun(order.workflow, adapterName)
      .pipe(Effect.mapError(failureOf))
    const { upstream } = credentials
    const model =
      upstream === null
        ? null
        : yield* services.proxy.open({ runId: record.run, identifier: record.identifier }, upstream)
    yield* Ref.update(run.meters, (meters) => ({ ...meters, model }))
    const token = yield* services.grants.issue({
      runId: record.run,
      identifier: record.identifier,
      purpose: "mcp"
    })
    const sandbox = yield* services.sandboxes
      .acquire({
        runId: record.run,
        identifier: record.identifier,
        workflow: order.workflow,
        workspace: workspace.path,
        readonlyPaths: launch.readonlyPaths,
        programs: programsOf(launch, config.acp.command),
        keep: launch.sessionPaths,
        // An image may bring a sign-in of its own for a launch line of one's own.
        secretPaths: launch.own || launch.credentialFile === null ? [] : [launch.credentialFile],
        env: {
          ...launch.env,
          ...credentials.env,
          ...(upstream === null || model === null ? {} : { [upstream.api.keyVariable]: model.placeholder })
        },
        homeFiles: credentials.homeFiles,
        listener: yield* services.listener.address
      })
      .pipe(Effect.mapError(failureOf))
    yield* run.progress({ sandbox: sandbox.name })

    yield* noteStage(run, "session", adapterName)
    const base = config.mcp.hostUrl ?? sandbox.listenerUrl
    const session = yield* services.sessions
      .open({
        sandbox,
        adapter: adapterName,
        acp: config.acp,
        model: policyOf(config.states, issue.state)?.model ?? config.acp.model,
        cwd: workspace.path,
        modelUrl: model === null ? null : `${base}${modelPath(record.identifier)}`,
        mcp: { url: `${base}/api/v1/issues/${encodeURIComponent(record.identifier)}/mcp`, token },
        resume: order.resumeSession,
        costBefore: order.resumeCost
      })
      .pipe(Effect.mapError(failureOf))
    yield* Ref.update(run.meters, (meters) => ({ ...meters, session }))
    yield* run.report({ _tag: "SessionOpened", session: session.sessionId, resumed: session.resumed })
    // An agent that cannot reach its tools would work for nothing.
    yield* services.grants.awaitToolsListed(record.run).pipe(
      Effect.timeoutOrElse({
        duration: launch.readTimeoutMs,
        orElse: () =>
          Effect.fail(
            new RunFailure({
              class: "infrastructure",
              reason: "tools_not_listed",
              message: `the agent did not ask for symphony's tools within ${launch.readTimeoutMs} ms: it cannot reach ${base}, or was refused`,
              resetAt: null
            })
          )
      })
    )
    return { _tag: "Prepared", issue, prompt, session }
  })
