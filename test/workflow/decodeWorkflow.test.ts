import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { renderProblem } from "../../src/domain/Problem.ts"
import { decodeWorkflow } from "../../src/workflow/decodeWorkflow.ts"
import { keysOf } from "../../src/workflow/keys.ts"
import { FrontMatterKeys } from "../../src/workflow/schema.ts"
import type { WorkflowConfig } from "../../src/workflow/WorkflowConfig.ts"

const PATH = "/project/WORKFLOW.md"
const HOST = { HOME: "/home/ada", TMPDIR: "/var/tmp", FOLDER: "/data/it", EMPTY: "" }

const file = (frontMatter: string, body = "Do it."): string => `---\n${frontMatter}\n---\n${body}\n`
const decode = (text: string, environment = HOST) => decodeWorkflow(PATH, text, environment)

/** Lines of everything that was found, errors and warnings. */
const messages = (text: string): ReadonlyArray<string> =>
  Result.match(decode(text), {
    onFailure: ({ problems }) => problems.map(renderProblem),
    onSuccess: ({ warnings }) => warnings.map(renderProblem)
  })
const config = (frontMatter: string): WorkflowConfig =>
  Result.getOrThrow(decode(file(`tracker: {kind: local}\n${frontMatter}`))).definition.config
const refusalCode = (text: string): string | undefined =>
  Result.match(decode(text), { onFailure: ({ code }) => code, onSuccess: () => undefined })

describe("the front matter", () => {
  it("has a default for every key but the kind of tracker", () => {
    assert.deepStrictEqual(config(""), {
      tracker: { root: "/project/issues", requiredLabels: [], provider: {} },
      states: [
        ...["Todo", "In Progress"].map((name) => ({ name, role: "active" as const })),
        ...["Closed", "Cancelled", "Canceled", "Duplicate", "Done"].map((name) => ({
          name,
          role: "terminal" as const
        }))
      ].map((state) => ({
        ...state,
        adapter: null,
        model: null,
        maxTurns: null,
        maxConcurrent: null,
        transitions: null,
        onStart: null
      })),
      polling: { intervalMs: 30_000 },
      workspace: { root: "/var/tmp/symphony_workspaces" },
      state: { root: "/project/.symphony" },
      hooks: {
        after_create: null,
        before_run: null,
        after_run: null,
        before_remove: null,
        timeoutMs: 60_000
      },
      agent: {
        maxConcurrentAgents: 10,
        maxTurns: 20,
        maxSessionsPerIssue: 20,
        maxRetryBackoffMs: 300_000,
        circuitBreakerThreshold: 5,
        steeringHoldMs: 300_000,
        memoryAdmission: false
      },
      acp: {
        adapter: "claude",
        command: null,
        shell: "bash",
        model: null,
        transport: "auto",
        credentials: "staged",
        promptTimeoutMs: 3_600_000,
        readTimeoutMs: null,
        stallTimeoutMs: 300_000
      },
      sandbox: { kind: "smolvm", net: true, forwardEnv: ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"] },
      smolvm: { image: null, from: null, cpus: 2, memMib: 2048, binPath: null, volumes: [], endpoint: null },
      handoff: { mode: "auto" },
      server: {
        port: null,
        host: "127.0.0.1",
        auth: "token",
        allowedHosts: ["localhost", "127.0.0.1", "[::1]"]
      },
      mcp: { host: "127.0.0.1", hostUrl: null }
    })
  })

  it("takes empty sections for missing ones", () => {
    assert.deepStrictEqual(config("hooks:\nagent:\nstates:"), config(""))
  })

  it("reads what is written", () => {
    const read = config(
      [
        "agent: {max_turns: 3, circuit_breaker_threshold: 0, max_concurrent_agents_by_state: {todo: 2}}",
        "acp: {model: '  opus ', stall_timeout_ms: -1, command: run it}",
        "server: {port: 0, auth: none, allowed_hosts: [box.lan]}",
        "mcp: {host_url: 'http://box.lan:80/base/'}"
      ].join("\n")
    )
    assert.deepInclude(read.agent, { maxTurns: 3, circuitBreakerThreshold: 0 })
    assert.deepInclude(read.acp, { model: "opus", stallTimeoutMs: 0, command: "run it" })
    assert.deepInclude(read.server, { port: 0, auth: "none", allowedHosts: ["box.lan"] })
    assert.strictEqual(read.mcp.hostUrl, "http://box.lan:80/base", "paths are put behind it")
    assert.deepStrictEqual(
      read.states.map(({ maxConcurrent }) => maxConcurrent),
      [2, null, null, null, null, null, null]
    )
  })

  it("reads the caps of states whatever the case and the space that they are written with", () => {
    const { states } = config('agent: {max_concurrent_agents_by_state: {" TODO ": 2, "in progress": 1}}')
    assert.deepStrictEqual(
      states.slice(0, 2).map(({ maxConcurrent }) => maxConcurrent),
      [2, 1]
    )
  })

  it("keeps what is written for a tracker's provider, known to anybody or not", () => {
    const { definition, warnings } = Result.getOrThrow(
      decode(file("tracker: {kind: local, provider: {project: P, deep: {list: [1, a]}}}"))
    )
    assert.deepStrictEqual(definition.config.tracker.provider, { project: "P", deep: { list: [1, "a"] } })
    assert.deepStrictEqual(warnings, [])
  })

  it("takes the text of a whole number for the number, as 0.1.0 did", () => {
    const read = config(
      [
        'polling: {interval_ms: "20"}',
        'agent: {max_turns: " 3 ", max_concurrent_agents_by_state: {todo: "2"}, circuit_breaker_threshold: "0"}',
        'acp: {stall_timeout_ms: "-1"}',
        'server: {port: "8787"}'
      ].join("\n")
    )
    assert.strictEqual(read.polling.intervalMs, 20)
    assert.deepInclude(read.agent, { maxTurns: 3, circuitBreakerThreshold: 0 })
    assert.strictEqual(read.states[0]?.maxConcurrent, 2)
    assert.strictEqual(read.acp.stallTimeoutMs, 0)
    assert.strictEqual(read.server.port, 8787)
    for (const bad of ["2.5", '"2.5"', '"1e3"', '"0"', '""']) {
      assert.strictEqual(
        refusalCode(file(`tracker: {kind: local}\nagent: {max_turns: ${bad}}`)),
        "invalid_workflow",
        bad
      )
    }
  })

  it("compares required labels as issues have theirs", () => {
    const read = Result.getOrThrow(decode(file('tracker: {kind: local, required_labels: [" Agent ", ops]}')))
    assert.deepStrictEqual(read.definition.config.tracker.requiredLabels, ["agent", "ops"])
  })
})

describe("a bad file", () => {
  it("shows all of its mistakes at once, in the order of the file", () => {
    assert.deepStrictEqual(
      messages(
        file(
          [
            "tracker: {kind: linear}",
            "polling:",
            "  interval_ms: 0",
            "agent:",
            "  max_turns: many",
            "  circuit_breaker_threshold: 1",
            "  max_turn: 3",
            "smolvm: {image: a, from: ./b}"
          ].join("\n"),
          "Work on {{ isue.title }}."
        )
      ),
      [
        'WORKFLOW.md:2:11 tracker.kind: expected local, got "linear"',
        "WORKFLOW.md:4:3 polling.interval_ms: expected a whole number of milliseconds from 1 to 2147483647, got 0",
        'WORKFLOW.md:6:3 agent.max_turns: expected a whole number above 0, got "many"',
        "WORKFLOW.md:7:3 agent.circuit_breaker_threshold: expected 0 (off) or a whole number above 1, got 1",
        'WORKFLOW.md:8:3 agent.max_turn: unknown key, ignored - did you mean "max_turns"?',
        "WORKFLOW.md:9:10 smolvm.image: not used, because smolvm.from goes before it - remove one of the two",
        'WORKFLOW.md:11:12 prompt: unknown variable isue - did you mean "issue"?'
      ]
    )
  })

  it.each([
    ["an unterminated fence", "---\ntracker: {kind: local}\n", "workflow_parse_error"],
    ["YAML that does not parse", file("tracker: {kind: local"), "workflow_parse_error"],
    ["a key that is there twice", file("tracker: {kind: local}\ntracker: {}"), "workflow_parse_error"],
    ["a list", file("- a"), "workflow_front_matter_not_a_map"],
    ["a text", file("hello"), "workflow_front_matter_not_a_map"],
    ["no front matter", "Do it.\n", "invalid_workflow"],
    ["nothing", "", "invalid_workflow"],
    ["a bad value", file("tracker: {kind: local}\nagent: {max_turns: 0}"), "invalid_workflow"]
  ])("is told by its code: %s", (_, text, code) => {
    assert.strictEqual(refusalCode(text), code)
  })

  it("shows also what is wrong beside and between values that are refused themselves", () => {
    assert.deepStrictEqual(
      messages(
        file(
          [
            "tracker: {kind: local, root: 3}",
            "states:",
            "  A: {role: busy, max_turns: 0, transitions: [Nope]}",
            "  B: {transitions: [A], on_start: A}",
            "  C: 3",
            "smolvm: {volumes: [{host: $NOT_SET, guest: here}, {host: $NOT_SET_EITHER, guest: /b}]}"
          ].join("\n")
        )
      ).map((line) => line.replace(/^WORKFLOW\.md:(\d+):\d+ (\S+): .*$/, "$1 $2")),
      [
        "2 tracker.root",
        "4 states.A.role",
        "4 states.A.max_turns",
        "4 states.A.transitions[0]",
        "5 states.B.role",
        "6 states.C",
        "7 smolvm.volumes[0].host",
        "7 smolvm.volumes[0].guest",
        "7 smolvm.volumes[1].host"
      ]
    )
  })

  it("says where what is missing should be", () => {
    assert.deepStrictEqual(messages(file("polling: {}")), [
      "WORKFLOW.md:1:1 tracker.kind: expected local, got nothing"
    ])
    assert.deepStrictEqual(messages(file("tracker:\n  root: ./issues")), [
      "WORKFLOW.md:2:1 tracker.kind: expected local, got nothing"
    ])
  })

  it("never shows what could be a secret", () => {
    const secret = "sk-ant-api03-abcdef0123456789"
    const shown = messages(
      file(`tracker: {kind: local, api_key: ${secret}}\nserver: {port: ${secret}}\nacp: {adapter: ${secret}}`)
    )
    assert.lengthOf(shown, 3)
    assert.notInclude(shown.join("\n"), "abcdef")
  })
})

/** A bad value of each key, written on line 3 behind a sound tracker, and what is said about it. */
const refused: ReadonlyArray<readonly [key: string, value: string, expected: string, got: string]> = [
  ["tracker", "3", "a map of keys", "3"],
  ["tracker.root", '"a\\0b"', "a path (`~` and `$NAME` are expanded)", "a text of 3 characters"],
  ["tracker.root", '""', "a path (`~` and `$NAME` are expanded)", "a blank text"],
  ["tracker.root", "$NOT_SET", "a path", "$NOT_SET, which is not set in the environment"],
  ["tracker.root", "$EMPTY", "a path", "$EMPTY, which is not set in the environment"],
  ["tracker.active_states", "Todo", "a list of state names, at least one", '"Todo"'],
  ["tracker.active_states", "[]", "at least one active state", "none"],
  [
    "tracker.active_states[0]",
    "[a/b]",
    "a folder name (no `/`, no leading dot, no invisible characters)",
    "a text of 3 characters"
  ],
  // A family of emoji is joined by characters that nobody sees.
  [
    "tracker.active_states[0]",
    "[In Review \u{1f469}\u200d\u{1f4bb}]",
    "a folder name (no `/`, no leading dot, no invisible characters)",
    "a text of 15 characters"
  ],
  ["tracker.active_states[1]", "[Todo, todo]", "each state once", '"todo" again'],
  ["tracker.terminal_states", "[]", "at least one terminal state", "none"],
  [
    "tracker.terminal_states[0]",
    "[.git]",
    "a folder name (no `/`, no leading dot, no invisible characters)",
    "a text of 4 characters"
  ],
  ["tracker.terminal_states[1]", "[Done, Todo]", "each state once", '"Todo" again'],
  ["tracker.required_labels", "agent", "a list of labels", '"agent"'],
  ["tracker.required_labels[0]", '[" "]', "a label that is not blank", "a blank text"],
  ["tracker.provider", "3", "a map", "3"],
  ["states", "[Todo]", "a map from state name to {role, …}", "a list"],
  ["states", "{Done: {role: terminal}}", "at least one active state", "none"],
  ["states", "{Todo: {role: active}}", "at least one terminal state", "none"],
  ["states.A.role", "{A: {}}", "active, holding or terminal", "nothing"],
  ["states.A.role", "{A: {role: busy}}", "active, holding or terminal", '"busy"'],
  ["states.A.adapter", "{A: {role: active, adapter: x}}", "claude, codex, opencode, demo or null", '"x"'],
  ["states.A.model", "{A: {role: active, model: 3}}", "a model name or null", "3"],
  ["states.A.max_turns", "{A: {role: active, max_turns: 0}}", "a whole number above 0, or null", "0"],
  [
    "states.A.max_concurrent",
    "{A: {role: active, max_concurrent: -1}}",
    "a whole number above 0, or null",
    "-1"
  ],
  [
    "states.A.transitions",
    "{A: {role: active, transitions: Z}}",
    "a list of declared states, or null for all",
    '"Z"'
  ],
  [
    "states.A.transitions[0]",
    "{A: {role: active, transitions: [Dnoe]}, Done: {role: terminal}}",
    "a declared state",
    '"Dnoe" - declared are A, Done'
  ],
  [
    "states.A.on_start",
    "{A: {role: active, on_start: Don}, Done: {role: terminal}}",
    "a declared state",
    '"Don" - did you mean "Done"?'
  ],
  [
    "states.A.on_start",
    "{A: {role: active, on_start: Done}, Done: {role: terminal}}",
    "an active state",
    '"Done" - a run stops when its issue leaves the active states'
  ],
  [
    "states.../x",
    "{../x: {role: active}, A: {role: active}, Z: {role: terminal}}",
    "a folder name (no `/`, no leading dot, no invisible characters)",
    "a text of 4 characters"
  ],
  [
    "states.a",
    "{A: {role: active}, a: {role: active}, Z: {role: terminal}}",
    "each state once (upper and lower case are the same)",
    "it twice"
  ],
  ["polling.interval_ms", "-5", "a whole number of milliseconds from 1 to 2147483647", "-5"],
  ["polling.interval_ms", "1.5", "a whole number of milliseconds from 1 to 2147483647", "1.5"],
  ["polling.interval_ms", '"30s"', "a whole number of milliseconds from 1 to 2147483647", '"30s"'],
  ["polling.interval_ms", "null", "a whole number of milliseconds from 1 to 2147483647", "nothing"],
  ["polling.interval_ms", "3000000000", "a whole number of milliseconds from 1 to 2147483647", "3000000000"],
  ["workspace.root", "$NOT_SET", "a path", "$NOT_SET, which is not set in the environment"],
  ["workspace.root", "issues", "a folder of its own", "that of tracker.root"],
  ["workspace.root", "./.symphony", "a folder of its own", "that of state.root"],
  ["state.root", "7", "a path (`~` and `$NAME` are expanded)", "7"],
  ["state.root", "./issues", "a folder of its own", "that of tracker.root"],
  ["hooks.after_create", "3", "a shell script or null", "3"],
  ["hooks.before_run", "[a]", "a shell script or null", "a list"],
  ["hooks.after_run", "{a: 1}", "a shell script or null", "a map"],
  ["hooks.before_remove", "true", "a shell script or null", "true"],
  ["hooks.timeout_ms", "0", "a whole number of milliseconds from 1 to 2147483647", "0"],
  ["agent.max_concurrent_agents", "0", "a whole number above 0", "0"],
  ["agent.max_turns", "0", "a whole number above 0", "0"],
  ["agent.max_sessions_per_issue", "0", "a whole number above 0", "0"],
  ["agent.max_retry_backoff_ms", "0", "a whole number of milliseconds from 1 to 2147483647", "0"],
  ["agent.max_concurrent_agents_by_state", "3", "a map from state to a whole number above 0", "3"],
  ["agent.max_concurrent_agents_by_state.Todo", "{Todo: 0}", "a whole number above 0", "0"],
  ["agent.circuit_breaker_threshold", "1", "0 (off) or a whole number above 1", "1"],
  ["agent.circuit_breaker_threshold", "-1", "0 (off) or a whole number above 1", "-1"],
  ["agent.steering_hold_ms", "-1", "a whole number of milliseconds from 0 to 2147483647", "-1"],
  ["agent.memory_admission", '"yes"', "true or false", '"yes"'],
  ["acp.adapter", "claud", "claude, codex, opencode or demo", '"claud" - did you mean "claude"?'],
  ["acp.command", '" "', "a command line that is not blank, or null", "a blank text"],
  ["acp.shell", '""', "the name of a shell", "a blank text"],
  ["acp.model", "4", "a model name or null", "4"],
  ["acp.transport", "tcp", "auto, stdio or bridge", '"tcp"'],
  ["acp.credentials", "none", "staged or proxy", '"none"'],
  ["acp.prompt_timeout_ms", "0", "a whole number of milliseconds from 1 to 2147483647", "0"],
  ["acp.read_timeout_ms", "0", "a whole number of milliseconds from 1 to 2147483647, or null", "0"],
  [
    "acp.stall_timeout_ms",
    "never",
    "a whole number of milliseconds up to 2147483647; 0 or less turns it off",
    '"never"'
  ],
  ["sandbox.kind", "docker", "smolvm, bubblewrap or host", '"docker"'],
  ["sandbox.net", '"no"', "true or false", '"no"'],
  ["sandbox.forward_env", "PATH", "a list of environment variable names", '"PATH"'],
  [
    "sandbox.forward_env[0]",
    "[GH_TOKEN]",
    "the name of an environment variable, and not of a GitHub token",
    '"GH_TOKEN"'
  ],
  [
    "smolvm.forward_env[1]",
    "[PATH, a=b]",
    "the name of an environment variable, and not of a GitHub token",
    "a text of 3 characters"
  ],
  ["smolvm.image", '""', "an image name or null", "a blank text"],
  ["smolvm.from", "$NOT_SET", "a path", "$NOT_SET, which is not set in the environment"],
  ["smolvm.cpus", "0", "a whole number above 0", "0"],
  ["smolvm.mem_mib", "64", "a whole number of MiB, at least 128", "64"],
  ["smolvm.net", "1", "true or false", "1"],
  ["smolvm.bin_path", "$NOT_SET", "a path", "$NOT_SET, which is not set in the environment"],
  ["smolvm.volumes", "/a:/b", "a list of {host, guest, readonly}", "a text of 5 characters"],
  ["smolvm.volumes[0].host", "[{guest: /b}]", "a path (`~` and `$NAME` are expanded)", "nothing"],
  [
    "smolvm.volumes[0].host",
    "[{host: $NOT_SET, guest: /b}]",
    "a path",
    "$NOT_SET, which is not set in the environment"
  ],
  ["smolvm.volumes[0].guest", "[{host: a, guest: b}]", "an absolute path in the guest", '"b"'],
  ["smolvm.volumes[0].readonly", "[{host: a, guest: /b, readonly: 1}]", "true or false", "1"],
  ["smolvm.endpoint", "3", "unix:///absolute/path, http://host:port or null", "3"],
  [
    "smolvm.endpoint",
    "smolvm.sock",
    "unix:///absolute/path, http://host:port or null",
    "a text of 11 characters"
  ],
  ["handoff.mode", "merge", "auto, patch, pull_request or none", '"merge"'],
  ["server.port", "65536", "a port from 0 to 65535, or null", "65536"],
  ["server.port", '"80x"', "a port from 0 to 65535, or null", '"80x"'],
  ["server.host", "3", "an address to listen on", "3"],
  ["server.auth", "basic", "token or none", '"basic"'],
  ["server.allowed_hosts", "localhost", "a list of host names", '"localhost"'],
  ["server.allowed_hosts[0]", '["http://x"]', "a host name", "a text of 8 characters"],
  ["mcp.enabled", "false", "true (without its tools an agent cannot finish)", "false"],
  ["mcp.host", "3", "a host name", "3"],
  [
    "mcp.host_url",
    "ftp://x",
    "an http(s) URL without query or credentials, or null",
    "a text of 7 characters"
  ]
]

const topOf = (key: string): string => key.split(/[.[]/, 1)[0] ?? ""
const leafOf = (key: string): string => key.split(/[.[]/, 2)[1] ?? ""

/** The key alone on the last line of the front matter. */
const withValue = (key: string, value: string): string =>
  topOf(key) === "states" || key === "tracker"
    ? file(key === "tracker" ? `tracker: ${value}` : `tracker: {kind: local}\nstates: ${value}`)
    : topOf(key) === "tracker"
      ? file(`tracker:\n  kind: local\n  ${leafOf(key)}: ${value}`)
      : file(`tracker: {kind: local}\n${topOf(key)}:\n  ${leafOf(key)}: ${value}`)

describe("a bad value is refused, with its place", () => {
  it.each(refused)("%s: %s", (key, value, expected, got) => {
    const text = withValue(key, value)
    assert.strictEqual(refusalCode(text), "invalid_workflow")
    const found = messages(text).find((line) => line.includes(` ${key}: `))
    assert.match(found ?? messages(text).join("\n"), /^WORKFLOW\.md:[234]:\d+ /)
    assert.strictEqual(found?.replace(/^\S+ /, ""), `${key}: expected ${expected}, got ${got}`)
  })

  it("for every key there is", () => {
    const tried = new Set(refused.map(([key]) => key.replace(/\[\d\]\.?/, ".").replace(/\.$/, "")))
    const untried = keysOf(FrontMatterKeys)
      .map(({ name }) => name)
      .filter((name) => {
        const concrete = name.replace("states.*", "states.A").replace("volumes.*", "volumes")
        return !tried.has(concrete) && name !== "tracker.kind"
      })
    assert.deepStrictEqual(untried, [])
  })
})

describe("paths", () => {
  const workspaces = (root: string) => config(`workspace: {root: "${root}"}`).workspace.root

  it.each([
    ["./ws", "/project/ws"],
    ["../ws", "/ws"],
    ["/ws/../x", "/x"],
    ["~", "/home/ada"],
    ["~/ws", "/home/ada/ws"],
    ["~bob/ws", "/project/~bob/ws"],
    ["$FOLDER", "/data/it"],
    ["$FOLDER/sub", "/project/$FOLDER/sub"]
  ])("%s is %s", (written, expected) => {
    assert.strictEqual(workspaces(written), expected)
  })

  it("are the only values in which variables are expanded", () => {
    const read = config("acp: {command: $FOLDER, model: ~/x}\nsmolvm: {image: $FOLDER}")
    assert.deepInclude(read.acp, { command: "$FOLDER", model: "~/x" })
    assert.deepInclude(read.smolvm, { image: "$FOLDER" })
  })

  it("that look like more than they are, are told", () => {
    assert.deepStrictEqual(
      messages(file('tracker: {kind: local, root: "~bob/issues"}\nworkspace: {root: $FOLDER/sub}')),
      [
        "WORKFLOW.md:2:24 tracker.root: a folder of exactly this name, since `~` is expanded only where `/` follows - write it in full",
        "WORKFLOW.md:3:13 workspace.root: a folder of exactly this name, since `$NAME` is expanded only where it is the whole value - write it in full"
      ]
    )
  })

  it("of symphony's own state do not lead into the tracker, where a folder is a state", () => {
    const wrong = (root: string) => messages(file(`tracker: {kind: local}\nstate: {root: ${root}}`))
    assert.deepStrictEqual(wrong("./issues/internal/deep"), [
      "WORKFLOW.md:3:9 state.root: expected a folder outside of tracker.root, got one in it - every folder there is a state"
    ])
    assert.deepStrictEqual(wrong("./issues/.symphony"), [])
    assert.deepStrictEqual(wrong("./issues-internal"), [])
  })

  it("of volumes are expanded too", () => {
    const { volumes } = config(
      "smolvm: {volumes: [{host: ~/c, guest: /c}, {host: $FOLDER, guest: /d, readonly: true}]}"
    ).smolvm
    assert.deepStrictEqual(volumes, [
      { host: "/home/ada/c", guest: "/c", readonly: false },
      { host: "/data/it", guest: "/d", readonly: true }
    ])
  })
})

describe("states", () => {
  it("are taken in the order of the file, whatever their names look like", () => {
    const { states } = config("states: {Todo: {role: active}, 2: {role: holding}, 1: {role: terminal}}")
    assert.deepStrictEqual(
      states.map(({ name }) => name),
      ["Todo", "2", "1"]
    )
  })

  it("carry what is said about them", () => {
    const [todo] = config(
      "states: {Todo: {role: active, adapter: codex, model: big, max_turns: 2, max_concurrent: 1, transitions: [done], on_start: Doing}, Doing: {role: active}, Done: {role: terminal}}"
    ).states
    assert.deepStrictEqual(todo, {
      name: "Todo",
      role: "active",
      adapter: "codex",
      model: "big",
      maxTurns: 2,
      maxConcurrent: 1,
      transitions: ["done"],
      onStart: "Doing"
    })
  })

  it("say themselves how many runs they take, before the older map does", () => {
    const text = file(
      "tracker: {kind: local}\nstates: {A: {role: active, max_concurrent: 1}, B: {role: active}, Z: {role: terminal}}\nagent: {max_concurrent_agents_by_state: {a: 5, b: 3}}"
    )
    assert.deepStrictEqual(
      Result.getOrThrow(decode(text)).definition.config.states.map(({ maxConcurrent }) => maxConcurrent),
      [1, 3, null]
    )
    assert.deepStrictEqual(messages(text), [
      "WORKFLOW.md:4:42 agent.max_concurrent_agents_by_state.a: not used, because the state has its own max_concurrent"
    ])
  })

  it("make the older lists superfluous, which is said where the two differ", () => {
    const both = (terminal: string) =>
      messages(
        file(
          `tracker: {kind: local, terminal_states: ${terminal}}\nstates: {A: {role: active}, Z: {role: terminal}}`
        )
      )
    assert.deepStrictEqual(both("[z]"), [])
    assert.deepStrictEqual(both("[Z, Y]"), [
      "WORKFLOW.md:2:24 tracker.terminal_states: not used, because `states` says otherwise - remove it"
    ])
  })
})

describe("settings with a former name", () => {
  it("are read under either", () => {
    assert.deepInclude(config("smolvm: {net: false, forward_env: [A]}").sandbox, {
      net: false,
      forwardEnv: ["A"]
    })
    assert.deepInclude(config("sandbox: {net: false, forward_env: [A]}").sandbox, {
      net: false,
      forwardEnv: ["A"]
    })
  })

  it("must not contradict themselves", () => {
    assert.deepStrictEqual(
      messages(
        file(
          "tracker: {kind: local}\nsandbox: {net: true, forward_env: [A]}\nsmolvm: {net: false, forward_env: [A]}"
        )
      ),
      [
        "WORKFLOW.md:4:10 smolvm.net: expected the same as sandbox.net, got another value - keep one of the two"
      ]
    )
  })
})

describe("warnings", () => {
  it("do not keep a file from being used", () => {
    assert.deepStrictEqual(
      messages(
        file("tracker: {kind: local}\npolicy: 1\npolling: {intervall_ms: 5}\nmax_turns: 3\nxyzzy: {a: 1}")
      ),
      [
        "WORKFLOW.md:3:1 policy: unknown key, ignored",
        'WORKFLOW.md:4:11 polling.intervall_ms: unknown key, ignored - did you mean "interval_ms"?',
        'WORKFLOW.md:5:1 max_turns: unknown key, ignored - did you mean "agent.max_turns"?',
        "WORKFLOW.md:6:1 xyzzy: unknown key, ignored"
      ]
    )
  })

  it("tell of a command for an adapter that symphony does not know", () => {
    const text = file("tracker: {kind: local}\nacp: {adapter: mine, command: mine --acp}")
    assert.deepStrictEqual(messages(text), [
      'WORKFLOW.md:3:7 acp.adapter: expected claude, codex, opencode or demo, got "mine" - acp.command is launched, and treated as claude where adapters differ'
    ])
    assert.strictEqual(Result.getOrThrow(decode(text)).definition.config.acp.command, "mine --acp")
  })

  it("tell of what 0.1.0 took although it has no effect", () => {
    const text = file(
      "tracker: {kind: local}\nagent: {max_concurrent_agents_by_state: {Todo: 6, In Progress: 5, Tod: 1}}"
    )
    assert.deepStrictEqual(messages(text), [
      "WORKFLOW.md:3:9 agent.max_concurrent_agents_by_state: the caps of the active states add up to 11, of which agent.max_concurrent_agents lets 10 run",
      'WORKFLOW.md:3:67 agent.max_concurrent_agents_by_state.Tod: not used, because there is no such state - did you mean "Todo"?'
    ])
    const { smolvm } = config("smolvm: {image: node, from: ./x}")
    assert.deepInclude(smolvm, { image: null, from: "/project/x" })
  })

  it("tell of a listener that anybody can use", () => {
    assert.deepStrictEqual(messages(file("tracker: {kind: local}\nserver: {auth: none, host: 0.0.0.0}")), [
      "WORKFLOW.md:3:10 server.auth: anyone who reaches this machine can read and steer - use server.auth: token"
    ])
  })
})

describe("any text at all", () => {
  const keys = keysOf(FrontMatterKeys).map(({ name }) => name.replaceAll("*", "A"))
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json)),
    fc.constantFrom(
      "$X",
      "~",
      "*a",
      "&a [*a]",
      "!!js x",
      "{",
      "'",
      "0x10",
      "1e400",
      ".nan",
      "-0",
      "<<: {a: 1}"
    )
  )
  const line = fc
    .tuple(fc.constantFrom(...keys, "__proto__.x", "constructor", "states.__proto__.role"), value)
    .map(([name, written]) => {
      const parts = name.split(".")
      return `${parts
        .map((part) => `{${part}: `)
        .join("")
        .slice(1)}${written}${"}".repeat(parts.length - 1)}`
    })
  const yaml = fc.array(line, { maxLength: 6 }).map((lines) => file(lines.join("\n")))

  it("is refused with problems or read as a whole", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          yaml,
          fc.string().map((body) => file("tracker: {kind: local}", body))
        ),
        (text) => {
          const decoded = decode(text)
          if (Result.isFailure(decoded)) {
            assert.isNotEmpty(decoded.failure.problems)
            assert.isTrue(decoded.failure.problems.some(({ severity }) => severity === "error"))
            for (const { message, where } of decoded.failure.problems) {
              assert.match(where, /^WORKFLOW\.md:[1-9]\d*:[1-9]\d*$/)
              assert.notMatch(message, /\n/)
            }
          } else {
            assert.isTrue(decoded.success.warnings.every(({ severity }) => severity === "warning"))
            assert.isNotEmpty(decoded.success.definition.config.states)
          }
          assert.notProperty({}, "x")
        }
      ),
      { numRuns: 500 }
    )
  })
})
