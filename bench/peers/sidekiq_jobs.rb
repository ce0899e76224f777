# Ruby Sidekiq: defaults of its free edition, which removes a job before it runs. The same work as work.py.
require "sidekiq"
require_relative "sidekiq_ledger"

# "hiredis" needs Debian's ruby-hiredis.
REDIS = { url: ENV.fetch("REDIS_URL"), driver: ENV.fetch("BENCH_DRIVER", "ruby").to_sym }

Sidekiq.configure_server do |config|
  config.redis = REDIS
  config.logger.level = ENV["BENCH_LOG_LEVEL"] == "info" ? Logger::INFO : Logger::WARN
end
Sidekiq.configure_client { |config| config.redis = REDIS }

class Noop
  include Sidekiq::Worker
  def perform(number, _)
    LEDGER.begin(number)
    LEDGER.done(number)
  end
end

class SleepIo
  include Sidekiq::Worker
  def perform(number, milliseconds)
    LEDGER.begin(number)
    sleep(milliseconds / 1000.0)
    LEDGER.finish(number)
  end
end

class Cpu
  include Sidekiq::Worker
  def perform(number, count)
    LEDGER.begin(number)
    total = 0
    count.times { |i| total ^= i * i }
    LEDGER.finish(number)
  end
end

class FailOnce
  include Sidekiq::Worker
  sidekiq_options backtrace: false
  sidekiq_retry_in { 1 } # Sidekiq adds 0 to 9 seconds by chance
  def perform(number, _)
    raise "failed on purpose" if LEDGER.begin(number) == 1
    LEDGER.finish(number)
  end
end
