# The pushing side, for Ruby: the same modes as client.py.
require_relative "sidekiq_jobs"

BATCH = 1000
LEAD_S = 1.5
SPAN_S = 4.0
PATIENCE_S = 15.0
JOBS = { "noop" => Noop, "sleep_io" => SleepIo, "cpu" => Cpu, "fail_once" => FailOnce }

def clock = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def single(job, count, arg)
  count.times { |n| job.perform_async(n, arg) }
end

def bulk(job, count, arg)
  (0...count).each_slice(BATCH) { |slice| Sidekiq::Client.push_bulk("class" => job, "args" => slice.map { |n| [n, arg] }) }
end

def ping(job, count, arg)
  count.times do |n|
    sleep(0.02 + rand * 0.03)
    LEDGER.pushed(n, Time.now.to_f)
    job.perform_async(n, arg)
    deadline = clock + PATIENCE_S
    until LEDGER.runs(n) > 0
      abort "job #{n} did not start" if clock > deadline
      sleep 0.0005
    end
  end
end

def schedule(job, count, arg)
  base = Time.now.to_f + LEAD_S
  count.times do |n|
    due = base + SPAN_S * n / count
    LEDGER.pushed(n, due)
    job.perform_at(due, n, arg)
  end
end

mode, kind, count, arg = ARGV
mode = "bulk" if mode == "fill"
JOBS.fetch(kind).perform_async(0, arg.to_i) if ARGV[0] != "fill" && %w[single bulk].include?(mode) # connects
began = clock
send(mode, JOBS.fetch(kind), count.to_i, arg.to_i)
puts clock - began
