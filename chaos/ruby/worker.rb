# Ruby's worker: serves the queue `ruby` only. `sidekiq -r chaos/ruby/worker.rb -q ruby`
#
# It promotes nothing: Sidekiq takes a due job out of the set and pushes it afterwards, and would lose jobs of
# Pillion's when its connection breaks in between. And it counts nothing: its counts go to the same keys as
# Pillion's, ten seconds late, and are lost with it.

require_relative "common"

class NoScheduler
  def enqueue_jobs; end
end

Sidekiq.configure_server do |config|
  config.redis = REDIS
  config.logger.level = Logger::WARN
  config.options[:scheduled_enq] = NoScheduler
end

class NoCount
  def reset
    0
  end

  def incr(_amount = 1); end
end

require "sidekiq/processor"
Sidekiq::Processor.send(:remove_const, :PROCESSED)
Sidekiq::Processor.send(:remove_const, :FAILURE)
Sidekiq::Processor::PROCESSED = NoCount.new
Sidekiq::Processor::FAILURE = NoCount.new

class ChaosRuby
  include Sidekiq::Worker
  sidekiq_retry_in { 1 }

  def perform(milliseconds, fails_key)
    seen = File.join(ENV.fetch("CHAOS_LEDGER"), "failed-#{jid}")
    Ledger.note("start", jid, 0, 0)
    sleep(milliseconds / 1000.0)
    if fails_key && !File.exist?(seen)
      File.write(seen, "")
      Ledger.note("fail", jid, 0, 0)
      raise "the first time"
    end
    Ledger.note("end", jid, 0, 0)
  end
end
