# oracle.doubledouble.multiply, relative to the product of the heads, which are scaled by powers of two to [1, 2].
@r = float<ieee_64, ne>;
x_h = r(X_H);
x_l = r(X_L);
y_h = r(Y_H);
y_l = r(Y_L);
exact = x_h * y_h;
p = r(exact);
error = exact - p;                       # two_product is exact
cross r= x_h * y_l + x_l * y_h;
low r= error + cross;                    # p + low is renormalised exactly
LOST = x_l * y_l;
TOTAL = (low - (error + cross)) + (cross - (x_h * y_l + x_l * y_h)) - LOST;  # p + low - x y

{ X_H in [1, 2] /\ Y_H in [1, 2] /\ |X_L| <= 0x1p-53 /\ |Y_L| <= 0x1p-53
  ->
  |TOTAL / exact| <= @BOUND@ }

$ x_h in 16, y_h in 16;
