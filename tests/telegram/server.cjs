// telegram-test-api as a process: `node server.cjs PORT WEBHOOKS_GO_TO`. What the package lacks of the Bot API is added here and
// nowhere else: times in seconds, no parameters in answers, the chat of a pressed button, the secret token of webhooks, and
// webhooks on https, brought to the service.
const axios = require("axios");
const TelegramServer = require("telegram-test-api");

const [port, service] = process.argv.slice(2);
const server = new TelegramServer({ port: Number(port), host: "127.0.0.1", storeTimeout: 3600 });

const formatUpdate = TelegramServer.formatUpdate;
TelegramServer.formatUpdate = (update) => {
  const formatted = formatUpdate(update);
  if (formatted.callback_query) formatted.callback_query.chat_instance = "1";
  return formatted;
};

const addBotMessage = server.addBotMessage.bind(server);
server.addBotMessage = (...sent) => {
  const { message_id, date, chat, text, reply_markup } = addBotMessage(...sent);
  return { message_id, date: Math.floor(date / 1000), chat, text, reply_markup };
};

axios.interceptors.request.use((request) => {
  const webhook = Object.values(server.webhooks).find(({ url }) => url === request.url);
  if (webhook?.secret_token) request.headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret_token;
  request.url = service + new URL(request.url).pathname;
  return request;
});

server.start().then(() => console.log("ready"));
