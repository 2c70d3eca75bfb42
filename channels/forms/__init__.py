"""What staff type in about order files, products of channels, orders and channels; the services decide."""

from channels.forms.channels import ChannelForm
from channels.forms.files import ColumnsForm, ConnectForm, ImportForm, ListingForm
from channels.forms.order import LineForm, LineFormSet, OrderForm

__all__ = [
    "ChannelForm",
    "ColumnsForm",
    "ConnectForm",
    "ImportForm",
    "LineForm",
    "LineFormSet",
    "ListingForm",
    "OrderForm",
]
