import { Duration, Effect, Option, Redacted, Schema } from "effect"
import type { Endpoint } from "../../domain/Endpoint.ts"
import { printableTail } from "../../domain/printable.ts"
import { SandboxError } from "../Sandboxes.ts"
import { GATEWAY, LOOPBACK } from "./hosts.ts"
import { httpCall, type Reply } from "./httpCall.ts"
import type { Limits } from "./limits.ts"
import type { Machines, MachineSpec } from "./Machines.ts"
import { reasonIn, sandboxError, SmolvmError } from "./SmolvmError.ts"

const Refusal = Schema.fromJsonString(Schema.Struct({ error: Schema.String, code: Schema.String }))
const Health = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))
const Listed = Schema.fromJsonString(
  Schema.Struct({
    machines: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        state: Schema.String,
        pid: Schema.NullOr(Schema.Int).pipe(Schema.withDecodingDefaultKey(Effect.succeed(null)))
      })
    )
  })
)
const Executed = Schema.fromJsonString(
  Schema.Struct({ exitCode: Schema.Int, stdout: Schema.String, stderr: Schema.String })
)
const encode = Schema.encodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))

/** The secret goes in by a variable, which no list of processes shows, and on by stdin. */
const RUN = 't=$SYMPHONY_TOKEN; unset SYMPHONY_TOKEN; printf "%s\\n" "$t" | "$@"'
/** Every release returns at once from this; their own way of detaching came later than some of them. */
const RUN_DETACHED = `${RUN} >/dev/null 2>&1 &`

/** The exit code of a command that smolvm ended because it took too long. */
const TIMED_OUT = 124

const timedOut = (operation: string, limit: Duration.Duration) =>
  new SmolvmError({ reason: "timeout", operation, detail: `no answer within ${Duration.format(limit)}` })

const createBody = (spec: MachineSpec) => ({
  name: spec.name,
  ...(spec.from === null ? (spec.image === null ? {} : { image: spec.image }) : { from: spec.from }),
  cpus: spec.cpus,
  memoryMb: spec.memMib,
  mounts: spec.mounts,
  network: true,
  // With a policy later releases give a network card, whose gateway is the host; earlier ones know no names.
  ...(spec.net ? {} : { allowedCidrs: [`${LOOPBACK}/32`], allowedHosts: [GATEWAY] })
})

/** smolvm over `smolvm serve`, at `smolvm.endpoint`. */
export const makeServer = (endpoint: Endpoint, limits: Limits): Machines => {
  const refusal = Effect.fnUntraced(function* (operation: string, { body, status }: Reply) {
    // Refusals of its framework are plain text, or nothing at all.
    const told = Option.getOrUndefined(yield* Effect.option(Schema.decodeUnknownEffect(Refusal)(body)))
    const said = told?.error ?? body
    const reason =
      told?.code === "NOT_FOUND"
        ? "not_found"
        : status === 408
          ? "timeout"
          : status === 422 || status === 415
            ? "usage"
            : reasonIn(said)
    return new SmolvmError({
      reason,
      operation,
      detail: printableTail(said.trim(), 400) || `status ${status}`
    })
  })

  const call = Effect.fnUntraced(function* (
    operation: string,
    method: "GET" | "POST" | "DELETE",
    path: string,
    body: unknown,
    limit: Duration.Duration
  ) {
    const text = body === null ? null : yield* Effect.orDie(encode(body))
    const reply = yield* httpCall(endpoint, operation, method, path, text).pipe(
      Effect.timeoutOrElse({
        duration: limit,
        orElse: () => Effect.fail(timedOut(operation, limit))
      })
    )
    if (reply.status !== 200) return yield* yield* refusal(operation, reply)
    return reply.body
  })

  const readable =
    <A>(operation: string, decode: (text: string) => Effect.Effect<A, Schema.SchemaError>) =>
    (text: string) =>
      Effect.mapError(
        decode(text),
        () => new SmolvmError({ reason: "malformed", operation, detail: "its answer cannot be read" })
      )

  const at = (name: string, verb = "") => `/api/v1/machines/${encodeURIComponent(name)}${verb}`

  const execute = (name: string, script: string, command: ReadonlyArray<string>, secret: Redacted.Redacted) =>
    call(
      "machine exec",
      "POST",
      at(name, "/exec"),
      {
        command: ["sh", "-c", script, "sh", ...command],
        env: [{ name: "SYMPHONY_TOKEN", value: Redacted.value(secret) }],
        timeoutSecs: Math.ceil(Duration.toSeconds(limits.execute))
      },
      Duration.sum(limits.execute, Duration.seconds(5))
    ).pipe(
      Effect.flatMap(readable("machine exec", Schema.decodeUnknownEffect(Executed))),
      Effect.flatMap(({ exitCode, stderr, stdout }) =>
        exitCode === TIMED_OUT
          ? Effect.fail(timedOut("machine exec", limits.execute))
          : Effect.succeed({ code: exitCode, stdout, stderr })
      )
    )

  return {
    description: `smolvm serve at ${endpoint.text}`,
    outlivesCaller: true,
    version: call("health", "GET", "/health", null, limits.version).pipe(
      Effect.flatMap(readable("health", Schema.decodeUnknownEffect(Health))),
      Effect.map(({ version }) => version)
    ),
    list: call("machine ls", "GET", "/api/v1/machines", null, limits.list).pipe(
      Effect.flatMap(readable("machine ls", Schema.decodeUnknownEffect(Listed))),
      Effect.map(({ machines }) => machines)
    ),
    create: (spec) =>
      Effect.asVoid(call("machine create", "POST", "/api/v1/machines", createBody(spec), limits.create)),
    start: (name, limit) => Effect.asVoid(call("machine start", "POST", at(name, "/start"), {}, limit)),
    stop: (name) => Effect.asVoid(call("machine stop", "POST", at(name, "/stop"), null, limits.stop)),
    remove: (name) =>
      Effect.asVoid(call("machine delete", "DELETE", `${at(name)}?force=true`, null, limits.remove)),
    execute: (name, command, secret) => execute(name, RUN, command, secret),
    launch: (name, command, secret) =>
      execute(name, RUN_DETACHED, command, secret).pipe(
        Effect.mapError(sandboxError),
        Effect.flatMap((answer) =>
          answer.code === 0
            ? Effect.succeed({ ended: Effect.never })
            : Effect.fail(
                new SandboxError({
                  kind: "smolvm",
                  reason: "spawn",
                  detail: `the guest cannot start a program: ${printableTail(answer.stderr.trim(), 300)}`,
                  hint: null
                })
              )
        )
      )
  }
}
