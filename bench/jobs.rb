# The jobs of the bench, for Ruby Sidekiq. The same work as bench/jobs.py.
require "sidekiq"

Sidekiq.configure_server do |config|
  config.redis = { url: ENV.fetch("REDIS_URL") }
  config.logger.level = Logger::WARN
end

class Noop
  include Sidekiq::Worker
  def perform(number); end
end

class Lateness
  include Sidekiq::Worker
  def perform(pushed_at)
    late_s = Time.now.to_f - pushed_at
    Sidekiq.redis { |redis| redis.rpush("bench:lateness", late_s) }
  end
end
