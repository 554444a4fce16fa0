"""What is measured of a map. One file a metric, or a few that belong together.

Against a mask or a box, the *ground truth*, for maps M (N, H, W) and masks (N, H, W):

    pointing      1 if the largest value lies in the mask, else 0           Zhang et al. (2016), section 4
    mass          the share of the positive values that lies in the mask    Arras et al. (2022), section 3.3
    rank          of the |mask| largest values, the share in the mask       Arras et al. (2022), section 3.3

Against the network itself, *faithfulness*:

    deletion      the mean of P_c while pixels are grayed, the largest of M first; low is good     Petsiuk et al. (2018)
    insertion     the mean of P_c while they are put into a gray image; high is good               Petsiuk et al. (2018)
    infidelity    how badly shares foretell the falls when squares are grayed      Yeh et al. (2019), definition 2.1
    sensitivity   how far the map moves when the image moves by next to nothing    Yeh et al. (2019), definition 2.2

Petsiuk et al. insert into a blurred image; what is large is recognized there before anything is inserted. Maps that fit
the eye need not fit the network, and the other way around. An image with pixels deleted is a picture of nothing, which
every number of the second kind takes for evidence.
"""
