"""The console of the staff: queue, cases, sign-in. Server-rendered; what it does to cases is in `bot.desk`."""
