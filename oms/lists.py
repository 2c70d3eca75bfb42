"""What every list with bulk acts gets, whichever app it belongs to."""

from core.jobs.filters import batch_filters
from core.lists import lists

lists.extend(*(page.name for page in lists.pages() if page.states), filters=batch_filters())
