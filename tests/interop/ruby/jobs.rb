# The jobs of the interop tests, for Ruby Sidekiq. Those of Pillion, by the same names: jobs/interop_jobs.py.

require "json"
require "sidekiq"

Redis.silence_deprecations = true # of the calls that this Sidekiq makes

FOLDER = ENV.fetch("INTEROP_FOLDER")
LEDGER = File.open(File.join(FOLDER, "ledger-ruby-#{Process.pid}.jsonl"), "a").tap { |file| file.sync = true }

# Promotes nothing, so that only the schedulers of Pillion do.
class NoScheduler
  def enqueue_jobs; end
end

Sidekiq.configure_server do |config|
  config.redis = {url: ENV.fetch("REDIS_URL")}
  config.logger.level = Logger::WARN
  config.options[:scheduled_enq] = NoScheduler if ENV["INTEROP_SCHEDULER"] == "off"
  config.options[:poll_interval_average] = 1 # and the first look within 5 s
end

class Broken < StandardError; end

# Jobs that write down what they do.
module Noted
  def self.included(job)
    job.include(Sidekiq::Worker)
  end

  private

  def note(event, args)
    run = {by: "ruby", pid: Process.pid, event: event, class: self.class.name, jid: jid, args: args}
    LEDGER.write(JSON.generate(run) + "\n")
  end

  def there?(name)
    File.exist?(File.join(FOLDER, name))
  end
end

class Echo
  include Noted
  def perform(*args)
    note("ran", args)
  end
end

module Orders
  class CompleteJob
    include Noted
    def perform(*args)
      note("ran", args)
    end
  end
end

# Fails until the test has mended it.
class Flaky
  include Noted
  def perform(key)
    unless there?("mended-#{key}")
      note("failed", [key])
      raise Broken, "out of tëa ☕ #{key}"
    end
    note("ran", [key])
  end
end

# Runs until the test opens the gate of that name.
class Hold
  include Noted
  def perform(name)
    note("start", [name])
    sleep 0.01 until there?("gate-#{name}")
    note("ran", [name])
  end
end
