# A Ruby that does what the tests tell it, with Sidekiq's own client, API and web app.
#
# One JSON command per line comes in, one JSON answer per line goes out:
#
#   {"redis": "unix:///...", "ruby": "Sidekiq::Queue.new(name).size", "with": {"name": "default"}}
#   {"answer": 3}    or    {"error": "ArgumentError: ..."}

require "json"
require "sidekiq"
require "sidekiq/api"
require "sidekiq/scheduled"
require "sidekiq/web"
require "rack/mock"
require "rack/session/cookie"

Redis.silence_deprecations = true # of the calls that this Sidekiq makes
ANSWERS = $stdout.dup
$stdout.reopen($stderr) # Sidekiq logs to stdout, where only answers may go
Sidekiq.logger.level = Logger::WARN

# A Ruby program that pushes its own job classes.
module Orders
  class CompleteJob
    include Sidekiq::Worker
    sidekiq_options queue: "python", tags: ["orders"]
    def perform(order_id); end
  end
end

# One visitor of the web app, with the session cookie that its forms need.
class Visitor
  APP = Rack::Builder.new do
    use Rack::Session::Cookie, secret: "of the tests " * 5, same_site: true
    run Sidekiq::Web
  end.to_app

  def initialize
    @web = Rack::MockRequest.new(APP)
    @cookie = nil
  end

  def look(path)
    seen = @web.get(path, headers)
    keep_cookie(seen)
    {"status" => seen.status, "body" => seen.body.force_encoding("utf-8").scrub}
  end

  # Open a page, then send one of its forms.
  def press(page, action, fields)
    token = look(page)["body"][/name='authenticity_token' value='([^']+)'/, 1]
    raise "no form on #{page}" unless token
    sent = @web.post(action, headers.merge(params: fields.merge("authenticity_token" => token)))
    keep_cookie(sent)
    sent.status
  end

  private

  def headers
    @cookie ? {"HTTP_COOKIE" => @cookie} : {}
  end

  def keep_cookie(response)
    set = response.headers["Set-Cookie"]
    @cookie = set.split(";").first if set
  end
end

# What a command may use besides Sidekiq itself.
module Commands
  module_function

  def visitor
    @visitor ||= Visitor.new
  end

  # The bytes that Ruby would write for a payload it has read.
  def rewritten(raw)
    Sidekiq.dump_json(Sidekiq.load_json(raw))
  end

  def context(names)
    scope = binding
    names.each { |name, value| scope.local_variable_set(name, value) }
    scope
  end
end

POOLS = Hash.new { |pools, url| pools[url] = Sidekiq::RedisConnection.create(url: url, size: 3) }

$stdin.each_line do |line|
  command = JSON.parse(line)
  answer = begin
    Sidekiq.redis = POOLS[command["redis"]]
    {"answer" => Commands.context(command["with"]).eval(command["ruby"])}
  rescue Exception => e # the answer to a bad command is its error
    {"error" => "#{e.class}: #{e.message}\n#{e.backtrace.first(5).join("\n")}"}
  end
  ANSWERS.puts(JSON.generate(answer))
  ANSWERS.flush
end
