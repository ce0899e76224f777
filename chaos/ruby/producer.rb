# A Ruby program that pushes jobs to both fleets until it is killed. `ruby chaos/ruby/producer.rb SEED`

require_relative "common"

Sidekiq.configure_client { |config| config.redis = REDIS }
Sidekiq.logger.level = Logger::FATAL

rng = Random.new(ARGV.fetch(0).to_i)
queues = %w[critical default low]

loop do
  mine = rng.rand < 0.25
  item = {
    "class" => mine ? "ChaosRuby" : "ChaosWork",
    "queue" => mine ? "ruby" : queues[rng.rand(3)],
    "args" => mine ? [rng.rand(50), rng.rand < 0.1] : [[1, 20, 100][rng.rand(3)], 0],
    "retry" => true,
    "jid" => rng.bytes(12).unpack1("H*")
  }
  item["at"] = Time.now.to_f + rng.rand * 3 if rng.rand < 0.15
  names = [item["jid"], item["queue"], item["class"]]
  Ledger.note("try", *names)
  begin
    Sidekiq::Client.push(item)
    Ledger.note("ok", *names)
  rescue StandardError
    Ledger.note("no", *names)
    sleep 0.2
  end
  sleep 0.06
end
