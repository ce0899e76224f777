# The Ruby side of the shop: takes orders, and completes them when Python has priced them.

require "json"
require "sidekiq"

module Orders
  FOLDER = ENV.fetch("SHOP_FOLDER", ".")

  # An order comes in. Ruby asks Python for a price.
  def self.take(order_id, item, quantity)
    Pricing::ForecastJob.perform_async(order_id, item, quantity)
  end

  # What has happened, one line each: stands for the database of a real shop.
  def self.note(file, facts)
    line = JSON.generate(facts) + "\n"
    File.open(File.join(FOLDER, file), "a") { |ledger| ledger.write(line) }
  end

  # Python's answer: it is pushed from there by this name.
  class CompleteJob
    include Sidekiq::Worker
    sidekiq_options queue: "default", retry: 5

    def perform(order_id, price_cents)
      Orders.note("completed.jsonl", order: order_id, price_cents: price_cents, jid: jid)
      ReceiptJob.perform_async(order_id)
    end
  end

  # A job that is moving to Python, which has one of the same name. The queue says who runs it.
  class ReceiptJob
    include Sidekiq::Worker
    sidekiq_options queue: ENV.fetch("RECEIPTS_QUEUE", "default")

    def perform(order_id)
      Orders.note("receipts.jsonl", order: order_id, by: "ruby")
    end
  end
end

module Pricing
  # Lives in Python. Ruby knows its name, its queue and its options, and nothing else.
  class ForecastJob
    include Sidekiq::Worker
    sidekiq_options queue: "python", retry: 5
  end
end
