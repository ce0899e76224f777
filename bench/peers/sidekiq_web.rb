# Sidekiq's own Web UI on PORT of this machine, with the web server that Debian's Rack has at hand.
require "sidekiq"
require "sidekiq/web"
require "rack/session/cookie"
require "rack/handler/webrick"

Redis.silence_deprecations = true # of the calls that this Sidekiq makes
Sidekiq.logger.level = Logger::WARN
Sidekiq.configure_client do |config|
  config.redis = { url: ENV.fetch("REDIS_URL"), driver: ENV.fetch("BENCH_DRIVER", "ruby").to_sym }
end

APP = Rack::Builder.new do
  use Rack::Session::Cookie, secret: "of the bench " * 5, same_site: true # its forms want a session
  run Sidekiq::Web
end.to_app

# Head and body of an answer are two writes: without this the second may wait 40 ms for the client's kernel.
AT_ONCE = ->(socket) { socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
Rack::Handler::WEBrick.run(
  APP,
  Host: "127.0.0.1",
  Port: Integer(ENV.fetch("PORT")),
  AcceptCallback: AT_ONCE,
  AccessLog: [],
  Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN)
)
