"""Isolation: the way of a job into a child process, seen from the worker. The other end is `pillion.server.zygote`.

    worker ── control ──> zygote         has loaded the app, runs nothing, forks a child for each request
       │  │                 │
       │  └── leash ────────┤            one for each child: "kill it", and back: "it is pid 4711", "it has ended"
       └───── line ───────child          one for each child: the job, and back: log lines, "done" or the error

Design record
- The worker has threads, and a fork of a process with threads copies locks that nobody will ever open. So it forks
  nothing: it executes a fresh interpreter, the zygote, which loads the app once and stays without threads. Forking that
  one is safe, takes milliseconds, and the children share its memory. An app that starts threads while it is imported
  makes its zygote unfit for that; each child is then an interpreter of its own.
- The thread of the job waits for its child. So all that is around a job is as ever: fetch, lease, middleware, log
  lines, retries, metrics, shutdown; only the call of `perform` takes place elsewhere.
- Who kills is the parent of what is killed, the zygote: no pid is signalled that could belong to somebody else by now.
  Each child leads a process group, and it is the group that is killed: what the job has started goes with it.
- Nothing outlives its parent. A worker that ends, by kill -9 too, leaves the end of file on control and leashes, and
  the zygote kills all children and goes; while it still loads the app, the kernel kills it (PDEATHSIG). A zygote that
  ends takes its children along (PDEATHSIG), and the worker reads the end of file on the leashes. It then kills what
  those children had started, by the handles that the kernel has given it of them (pidfd), not by their numbers. So no
  job runs on after its lease was lost, but for the milliseconds of the kill.
- A child says when it begins with a job. One that dies before has run nothing, and the job goes to the next child; one
  that dies afterwards has failed the job, which then follows its retry rules (`ChildDied`). A death that harms nobody
  else is no reason to call a job a poison pill: its retries are counted, and they end.
"""
