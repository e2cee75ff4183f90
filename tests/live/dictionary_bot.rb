# A bot on xmpp4r, with its roster helper: it says what is in its roster, and what a word means to whom asks.
# Usage: ruby dictionary_bot.rb JID PASSWORD HOST PORT; each line that it prints is one event in JSON.

require 'json'
require 'xmpp4r'
require 'xmpp4r/roster'

def see(event, fields = {})
  puts({ event: event }.merge(fields).to_json)
  $stdout.flush
end

jid, password, host, port = ARGV
client = Jabber::Client.new(Jabber::JID.new(jid))
client.connect(host, port.to_i)
client.auth(password)
roster = Jabber::Roster::Helper.new(client)
roster.wait_for_roster
see('roster', contacts: roster.items.keys.map(&:to_s).sort)

client.add_message_callback do |message|
  unless message.body.nil? || message.type == :error
    answer = Jabber::Message.new(message.from, "#{message.body}: a word")
    client.send(answer.set_type(message.type))
  end
end
client.send(Jabber::Presence.new)
see('online')

$stdin.each_line { |_| break } # until its test ends it
client.close
