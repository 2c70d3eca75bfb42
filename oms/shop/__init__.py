"""설정 of the shop as a whole: names, deadlines, holidays, keys; settings of one app stand with that app."""
