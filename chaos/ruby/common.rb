# What Ruby's worker and producer share: Redis, and the ledger (chaos/ledger.py says what its lines mean).

require "json"
require "sidekiq"

Redis.silence_deprecations = true # of the calls that this Sidekiq makes

# A push that breaks off is not sent again, so each jid is pushed once at the most.
REDIS =
  if ENV["CHAOS_SENTINEL"]
    {url: "redis://#{ENV["CHAOS_SERVICE"]}",
     sentinels: [{host: "127.0.0.1", port: ENV["CHAOS_SENTINEL"].to_i}], reconnect_attempts: 0}
  else
    {url: ENV.fetch("REDIS_URL"), reconnect_attempts: 0}
  end

# One line in one write, to a file of this process.
module Ledger
  FILE = File.join(ENV.fetch("CHAOS_LEDGER"), "ruby-#{Process.pid}.txt")

  def self.note(what, *words)
    @file ||= File.open(FILE, File::WRONLY | File::APPEND | File::CREAT)
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    @file.syswrite(format("%.6f %s %d %s\n", now, what, Process.pid, words.join(" ")))
  end
end
