"""Do the methods keep their word? Published answers beside ours, and simulated campaigns with known truth.

:mod:`published` repeats what others published. :mod:`characteristics` measures coverage, false alarms,
power, bias and width over simulated campaigns, in and out of each method's conditions; what is simulated
stands in :mod:`trials`, :mod:`regions`, :mod:`influencers`, :mod:`insights`, :mod:`plans`, :mod:`definitions` and, for
whole exports of ``hkreport simulate`` scored against their truth, :mod:`scenarios`. All of it ends in
records; :mod:`page` reads them back for the certification page without computing anything again.
"""
